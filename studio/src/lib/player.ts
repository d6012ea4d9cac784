// The transport: what is to sound when. It looks a little ahead and hands notes to a synth with the time of each, so that
// the music under it can be changed while it plays: the next notes are those of the new one, at the same place.
import { firstFrom, Tempo, type Note } from './score'
import type { Synth } from './synth'

export interface Music {
  notes: Note[] // by onset
  channels: number[] // of each track
  pedal: (readonly number[])[] // tick, channel, value
  tempo: Tempo
  end: number
}

export const AHEAD = 0.07 // seconds
const EVERY = 20 // milliseconds

interface Sounding {
  channel: number
  pitch: number
  end: number // tick
}

export class Player {
  playing = false
  rate = 1
  loop: [number, number] | null = null // ticks
  private origin = { time: 0, tick: 0 } // where the clock and the music meet
  private reached = 0 // tick up to which notes have been handed on
  private beat = 0 // the next one of MIDI clock
  private begun = false // whether its first was
  private sounding: Sounding[] = []
  private timer: ReturnType<typeof setInterval> | null = null
  private outs: Synth[] = []

  constructor(
    private music: Music,
    private readonly onEnd: () => void = () => undefined,
  ) {}

  /** Where it plays; the first one's clock counts. */
  use(...outs: Synth[]): void {
    const at = this.tick
    this.hush()
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

  /** Other music at the same place: notes that sound on go on where it has them too. */
  change(music: Music): void {
    const at = this.tick
    this.music = music
    if (!this.playing) {
      this.origin.tick = Math.min(this.origin.tick, music.end)
      return
    }
    this.meet(at)
    const goes = new Set(music.notes.filter((n) => n.onset <= at && n.end > at).map((n) => this.key(n)))
    this.sounding = this.sounding.filter((one) => {
      const stays = goes.has(`${one.channel}:${one.pitch}`)
      if (!stays) this.each((out) => out.off(one.channel, one.pitch, this.clock))
      return stays
    })
    this.reached = Math.max(at, Math.min(this.reached, at + this.ahead()))
  }

  play(): void {
    if (this.playing || !this.outs.length) return
    if (this.origin.tick >= this.music.end) this.origin.tick = this.loop?.[0] ?? 0
    if (this.loop && (this.origin.tick < this.loop[0] || this.origin.tick >= this.loop[1])) this.origin.tick = this.loop[0]
    this.playing = true
    this.begin(this.origin.tick, 0.03)
    this.timer = setInterval(() => this.pump(), EVERY)
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
    if (this.playing) this.meet(at)
  }

  /** Hand on what comes next. Called by the timer; in tests by hand. */
  pump(): void {
    if (!this.playing) return
    const stop = this.loop?.[1] ?? this.music.end
    const until = Math.min(this.at(this.clock + AHEAD), stop)
    this.release(until)
    if (until > this.reached || (until === stop && this.reached < stop)) this.start(this.reached, until)
    this.reached = Math.max(this.reached, until)
    if (this.tick >= stop - 1e-6) {
      if (this.loop) this.again(this.loop[0], stop)
      else {
        this.stop()
        this.origin.tick = this.music.end
        this.onEnd()
      }
    } else if (this.loop) {
      const left = 1e3 * (this.timeOf(stop) - this.clock)
      if (left < EVERY) setTimeout(() => this.pump(), left + 1) // it ends between two calls of the timer
    }
  }

  private again(first: number, stop: number): void {
    const over = Math.max(0, this.clock - this.timeOf(stop))
    this.hush()
    this.each((out) => out.clock?.stop())
    this.begin(first, -over)
    this.pump()
  }

  /** Go on at a tick, some seconds from now. A clock can begin at a sixteenth alone: it does at the next one. */
  private begin(tick: number, later = 0): void {
    this.meet(tick, later)
    this.reached = tick
    this.pedalAt(tick)
    this.beat = 6 * Math.ceil(tick / (this.music.tempo.tpq / 4) - 1e-6)
    this.begun = false
  }

  private tickOf(beat: number): number {
    return (beat * this.music.tempo.tpq) / 24
  }

  private start(from: number, until: number): void {
    const { notes, pedal } = this.music
    for (; this.tickOf(this.beat) < until; this.beat++) {
      const time = this.timeOf(this.tickOf(this.beat))
      if (!this.begun) this.each((out) => out.clock?.start(this.beat / 6, time))
      this.begun = true
      this.each((out) => out.clock?.beat(time))
    }
    for (const [tick, channel, value] of pedal as [number, number, number][]) {
      if (tick >= from && tick < until) this.each((out) => out.pedal(channel, value, this.timeOf(tick)))
    }
    for (let i = firstFrom(notes, from); i < notes.length && notes[i]!.onset < until; i++) {
      const note = notes[i]!
      const channel = this.music.channels[note.track] ?? 0
      if (channel === 9) continue // drums: the piano has none
      const time = this.timeOf(note.onset)
      const again = this.sounding.findIndex((one) => one.channel === channel && one.pitch === note.pitch)
      if (again >= 0) {
        this.each((out) => out.off(channel, note.pitch, time))
        this.sounding.splice(again, 1)
      }
      this.each((out) => out.on(channel, note.pitch, note.velocity, time))
      this.sounding.push({ channel, pitch: note.pitch, end: note.end })
    }
  }

  private release(until: number): void {
    this.sounding = this.sounding.filter((one) => {
      if (one.end > until) return true
      this.each((out) => out.off(one.channel, one.pitch, Math.max(this.timeOf(one.end), this.clock)))
      return false
    })
  }

  /** The pedal as it is at a tick: what was pressed before. */
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
    this.hush()
    if (this.playing) this.each((out) => out.clock?.stop())
    this.playing = false
  }

  private hush(): void {
    this.sounding = []
    this.each((out) => out.silence())
  }

  private meet(tick: number, later = 0): void {
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

  private key(note: Note): string {
    return `${this.music.channels[note.track] ?? 0}:${note.pitch}`
  }

  private each(act: (out: Synth) => void): void {
    for (const out of this.outs) act(out)
  }
}
