// The transport. It passes notes to a synth a little before their times, so that the music can be changed while it
// plays: from the same place on, the next notes are those of the new music.
import { firstFrom, Tempo, type Note } from './score'
import { SHORTEST } from './held'
import { DRUMS, PIANOS } from './instruments'
import type { Synth } from './synth'

export interface Music {
  notes: Note[] // by onset
  channels: number[] // of each track
  pedal: (readonly number[])[] // tick, channel, value
  messages?: (readonly number[])[] // tick and bytes of what sets the sound of channels: programs, volume, bends
  tempo: Tempo
  end: number
}

export const AHEAD = 0.07 // seconds before its time that a note is passed to the synth
const PERIOD = 20 // milliseconds of the timer

interface Sounding {
  channel: number
  pitch: number
  onset: number // tick
  end: number
  time: number // of the clock at which it begins; up to AHEAD later than now
}

/** The first message at or after a tick. */
function firstAt(messages: readonly (readonly number[])[], tick: number): number {
  let [low, high] = [0, messages.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (messages[middle]![0]! < tick) low = middle + 1
    else high = middle
  }
  return low
}

export class Player {
  playing = false
  rate = 1
  loop: [number, number] | null = null // ticks; one that ends where it begins is none
  private origin = { time: 0, tick: 0 } // the time of the clock at which the music was at a tick
  private reached = 0 // tick up to which notes have been passed on
  private beat = 0 // the next tick of the MIDI clock
  private begun = false // whether its first tick was sent
  private sounding: Sounding[] = []
  private timer: ReturnType<typeof setInterval> | null = null
  private outs: Synth[] = []

  constructor(
    private music: Music,
    private readonly onEnd: () => void = () => undefined,
  ) {}

  /** Play to these synths; the clock is that of the first. */
  use(...outs: Synth[]): void {
    const at = this.tick
    this.silence()
    if (this.playing) this.each((out) => out.clock?.stop())
    this.outs = outs
    if (this.playing) this.begin(at)
  }

  get clock(): number {
    return this.outs[0]?.now ?? 0
  }

  /** The tick that sounds now. */
  get tick(): number {
    if (!this.playing) return this.origin.tick
    const passed = Math.max(0, this.clock - this.origin.time) * this.rate
    return Math.min(this.music.tempo.ticks(this.music.tempo.seconds(this.origin.tick) + passed), this.music.end)
  }

  /** Change the music at the same place; sounding notes that the new music has too go on. */
  change(music: Music): void {
    const at = this.tick
    this.music = music
    if (!this.playing) {
      this.origin.tick = Math.min(this.origin.tick, music.end)
      return
    }
    this.anchor(at)
    const near = music.notes.slice(0, firstFrom(music.notes, Math.max(at, this.reached) + 1)).filter((n) => n.end > at)
    const kept: Sounding[] = []
    for (const one of this.sounding) {
      const since = Math.max(at, one.onset) // a note that was passed on ahead has not begun yet
      const same = near.find((n) => n.onset <= since && n.end > since && this.channel(n) === one.channel && n.pitch === one.pitch)
      if (same) kept.push({ ...one, end: same.end })
      else this.each((out) => out.off(one.channel, one.pitch, Math.max(this.clock, one.time + SHORTEST)))
    }
    this.sounding = kept
    this.reached = Math.max(at, Math.min(this.reached, at + this.ahead()))
  }

  play(): void {
    if (this.playing || !this.outs.length) return
    const loop = this.looped
    if (this.origin.tick >= this.music.end) this.origin.tick = loop?.[0] ?? 0
    if (loop && (this.origin.tick < loop[0] || this.origin.tick >= loop[1])) this.origin.tick = loop[0]
    this.playing = true
    this.begin(this.origin.tick, 0.03)
    this.timer = setInterval(() => this.pump(), PERIOD)
    this.pump()
  }

  pause(): void {
    const at = this.tick
    this.stop()
    this.origin.tick = at
  }

  seek(tick: number): void {
    const target = Math.min(Math.max(tick, 0), this.music.end)
    const was = this.playing
    this.stop()
    this.origin.tick = target
    if (was) this.play()
  }

  setRate(rate: number): void {
    const at = this.tick
    this.rate = rate
    if (this.playing) this.anchor(at)
  }

  private get looped(): [number, number] | null {
    return this.loop && this.loop[0] < Math.min(this.loop[1], this.music.end) ? this.loop : null
  }

  /** Pass on the next notes. Called by the timer, and by tests. */
  pump(): void {
    if (!this.playing) return
    const loop = this.looped
    const stop = Math.min(loop?.[1] ?? Infinity, this.music.end)
    const until = Math.min(this.at(this.clock + AHEAD), stop)
    this.release(until)
    if (until > this.reached || (until === stop && this.reached < stop)) this.start(this.reached, until)
    this.reached = Math.max(this.reached, until)
    if (this.tick >= stop - 1e-6) {
      if (loop) this.restartLoop(loop[0], stop)
      else {
        this.stop()
        this.origin.tick = this.music.end
        this.onEnd()
      }
    } else if (loop) {
      const left = 1e3 * (this.timeOf(stop) - this.clock)
      if (left < PERIOD) setTimeout(() => this.pump(), left + 1) // the loop ends between two calls of the timer
    }
  }

  private restartLoop(first: number, stop: number): void {
    // A page that sleeps is called late, maybe many loops late.
    const over = Math.max(0, this.clock - this.timeOf(stop)) % (this.timeOf(stop) - this.timeOf(first))
    this.silence()
    this.each((out) => out.clock?.stop())
    this.begin(first, -over)
    this.pump()
  }

  /** Go on at a tick, some seconds from now. A MIDI clock can only begin at a sixteenth, so it begins at the next one. */
  private begin(tick: number, later = 0): void {
    this.anchor(tick, later)
    this.reached = tick
    this.each((out) => this.voice(out, tick))
    this.pedalAt(tick)
    this.beat = 6 * Math.ceil(tick / (this.music.tempo.tpq / 4) - 1e-6)
    this.begun = false
  }

  private tickOf(beat: number): number {
    return (beat * this.music.tempo.tpq) / 24
  }

  private start(from: number, until: number): void {
    const { notes, pedal, messages = [] } = this.music
    for (; this.tickOf(this.beat) < until; this.beat++) {
      const time = this.timeOf(this.tickOf(this.beat))
      if (!this.begun) this.each((out) => out.clock?.start(this.beat / 6, time))
      this.begun = true
      this.each((out) => out.clock?.beat(time))
    }
    for (let i = firstAt(messages, from); i < messages.length && messages[i]![0]! < until; i++) {
      const [tick, ...message] = messages[i]!
      this.each((out) => out.message?.(message, this.timeOf(tick!)))
    }
    for (const [tick, channel, value] of pedal as [number, number, number][]) {
      if (tick >= from && tick < until) this.each((out) => out.pedal(channel, value, this.timeOf(tick)))
    }
    for (let i = firstFrom(notes, from); i < notes.length && notes[i]!.onset < until; i++) {
      const note = notes[i]!
      const channel = this.channel(note)
      const time = this.timeOf(note.onset)
      const struck = this.sounding.findIndex((one) => one.channel === channel && one.pitch === note.pitch)
      if (struck >= 0) {
        this.each((out) => out.off(channel, note.pitch, time))
        this.sounding.splice(struck, 1)
      }
      this.each((out) => out.on(channel, note.pitch, note.velocity, time))
      this.sounding.push({ channel, pitch: note.pitch, onset: note.onset, end: note.end, time })
    }
  }

  private release(until: number): void {
    this.sounding = this.sounding.filter((one) => {
      if (one.end > until) return true
      this.each((out) => out.off(one.channel, one.pitch, Math.max(this.timeOf(one.end), this.clock)))
      return false
    })
  }

  /** Whether the music needs more than the piano: another program, or drums. */
  get needsInstruments(): boolean {
    const { messages = [], channels, notes } = this.music
    const program = ([, status = 0, first = 0]: readonly number[]) => status >> 4 === 0xc && first >= PIANOS && (status & 15) !== DRUMS
    return messages.some(program) || notes.some((note) => channels[note.track] === DRUMS)
  }

  /** Set a synth's channels to what the music has at a tick. */
  voice(out: Synth, tick = this.tick): void {
    if (!out.message) return
    out.reset?.()
    const last = new Map<string, readonly number[]>()
    for (const [at, status = 0, first = 0, second] of this.music.messages ?? []) {
      if (at! > tick) break
      const which = `${status}:${status >> 4 === 0xb ? first : ''}`
      last.delete(which) // in the order of their last ones: a value follows what it is a value of
      last.set(which, second === undefined ? [status, first] : [status, first, second])
    }
    for (const message of last.values()) out.message([...message], this.clock)
  }

  /** Set the pedals to their state at a tick. */
  private pedalAt(tick: number): void {
    const state = new Map<number, number>()
    for (const [at, channel, value] of this.music.pedal as [number, number, number][]) {
      if (at < tick) state.set(channel, value)
    }
    for (const [channel, value] of state) this.each((out) => out.pedal(channel, value, this.clock))
  }

  private stop(): void {
    if (this.timer) clearInterval(this.timer)
    this.timer = null
    this.silence()
    if (this.playing) this.each((out) => out.clock?.stop())
    this.playing = false
  }

  private silence(): void {
    this.sounding = []
    this.each((out) => out.silence())
  }

  private anchor(tick: number, later = 0): void {
    this.origin = { time: this.clock + later, tick }
  }

  private timeOf(tick: number): number {
    const { tempo } = this.music
    return this.origin.time + (tempo.seconds(tick) - tempo.seconds(this.origin.tick)) / this.rate
  }

  private at(time: number): number {
    const passed = (time - this.origin.time) * this.rate
    return this.music.tempo.ticks(this.music.tempo.seconds(this.origin.tick) + Math.max(passed, 0))
  }

  private ahead(): number {
    return this.at(this.clock + AHEAD) - this.tick
  }

  private channel(note: Note): number {
    return this.music.channels[note.track] ?? 0
  }

  private each(act: (out: Synth) => void): void {
    for (const out of this.outs) act(out)
  }
}
