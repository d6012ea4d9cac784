// What is heard: the player, the piano or a port behind it, the playhead, the loop and the speed.
import { Player, type Music } from './lib/player'
import { Tempo } from './lib/score'
import type { Port } from './lib/midiout'
import { openPiano, silent, type Piano, type Synth } from './lib/synth'

export const SILENCE: Music = { notes: [], channels: [], pedal: [], tempo: new Tempo([[0, 500000]], 480), end: 0 }

const VOLUME = 'volume'

function storedVolume(): number {
  const stored = globalThis.localStorage?.getItem(VOLUME)
  const volume = Number(stored ?? 1)
  return volume >= 0 && volume <= 1 ? volume : 1
}

export class Transport {
  playing = $state(false)
  head = $state(0) // the tick of the playhead
  looping = $state(false)
  rate = $state(1)
  volume = $state(storedVolume()) // of the bundled sounds, 0 to 1
  loading = $state(false) // the piano
  port: Port | null = $state.raw(null)
  chosen = $state('') // the id of that port
  outputs: { id: string; name: string }[] = $state([]) // ports that the browser knows
  readonly player = new Player(SILENCE, () => (this.playing = false))
  private piano: Promise<Piano> | null = null
  private sound: Piano | null = null
  private intent = 0 // number of the newest play or pause: one that was waiting when another came is over

  /** Play, from the playhead on or from a tick. Rejects where there is no sound. */
  async play(from?: number): Promise<void> {
    const intent = ++this.intent
    this.loading = this.sound === null
    try {
      const piano = await this.loadPiano()
      if (this.player.needsInstruments) await piano.instruments()
      if (intent !== this.intent) return
      this.route()
      if (from !== undefined) this.player.seek(from)
      this.player.play()
      this.playing = true
    } finally {
      if (intent === this.intent) this.loading = false
    }
  }

  /** Have what sounds at hand, so that the next play begins at once. */
  async prepare(): Promise<void> {
    const piano = await this.loadPiano()
    if (this.player.needsInstruments) await piano.instruments()
    this.route()
  }

  pause(): void {
    this.intent++
    this.player.pause()
    this.playing = this.loading = false
    this.head = this.player.tick
  }

  seek(tick: number): void {
    this.player.seek(tick)
    this.head = this.player.tick
  }

  get analyser(): AnalyserNode | null {
    return this.sound?.level ?? null
  }

  /** Play one note at once: as a channel of the music sounds at the playhead, or on the piano. */
  async playNote(pitch: number, velocity = 80, seconds = 0.4, channel?: number): Promise<void> {
    const piano = await this.loadPiano()
    if (this.port) {
      this.outs(piano)
      this.port.on(channel ?? 0, pitch, velocity, piano.now)
      this.port.off(channel ?? 0, pitch, piano.now + seconds)
      return
    }
    if (channel !== undefined && this.player.needsInstruments) await piano.instruments()
    if (!this.playing) channel === undefined ? piano.reset?.() : this.player.voice(piano)
    const now = piano.now
    piano.on(channel ?? 0, pitch, velocity, now)
    piano.off(channel ?? 0, pitch, now + seconds)
  }

  /** The piano, loaded at its first use; after a failure the next call tries again. */
  async loadPiano(): Promise<Piano> {
    this.piano ??= openPiano()
    try {
      this.sound = await this.piano
    } catch (error) {
      this.piano = null
      throw error
    }
    this.sound.volume = this.volume
    await this.sound.context.resume()
    return this.sound
  }

  setRate(rate: number): void {
    this.rate = rate
    this.player.setRate(rate)
  }

  setVolume(volume: number): void {
    this.volume = volume
    if (this.sound) this.sound.volume = volume
    globalThis.localStorage?.setItem(VOLUME, String(volume))
  }

  /** Play to a port, which the page knows by its id; null: to the bundled sounds. */
  async playTo(port: Port | null, id = ''): Promise<void> {
    const before = this.port
    this.port = port
    this.chosen = port ? id : ''
    this.route()
    before?.close()
  }

  /** Where music goes: to the chosen port, else to the bundled sounds. */
  outs(piano: Piano): Synth[] {
    if (!this.port) return [piano]
    if (!this.player.clock) this.route() // the port goes by the player's clock
    return [silent(piano), this.port]
  }

  private route(): void {
    if (this.sound) this.player.use(...(this.port ? [silent(this.sound), this.port] : [this.sound]))
  }
}
