// The state of the melody room: a melody, its knobs, what came of them, and the grid between two melodies.
import * as api from '../../lib/api'
import * as history from '../../lib/history'
import { clamp } from '../../lib/values'
import { clipsOf, empty, enter, erase, flat, notesOf, onsets, TICKS, trim } from './melody'
import { Player, type Music } from '../../lib/player'
import { Tempo } from '../../lib/score'
import { load, save } from '../../lib/store'
import type { Studio } from '../../studio.svelte'
import type { GridCell, KnobsAsked, Turned } from '../../lib/types'

export const RESTING: Required<KnobsAsked> = {
  pitch: 0, rhythm: 0, rest: 0, control: 'knob', faithfulness: 1, chromatic: false, seed: 0,
}

/** What undo steps through: a melody, the knobs as they were left on it, and where the next note goes. */
interface Tune {
  source: number[]
  title: string
  piece: string | null // whose melody it is
  tempo: number
  cursor: number // the step where the next note goes
  knobs: Required<KnobsAsked>
}

interface Other {
  title: string
  states: number[]
}

/** What is kept over a reload. */
interface Kept {
  history: history.History<Tune>
  other: Other | null
}

const NONE: Tune = { source: empty(), title: '', piece: null, tempo: 100, cursor: 0, knobs: RESTING }
const KEPT = 'melody'
const SOON = 100 // milliseconds
const FIRST = 'k265' // whose melody is there at first
const OWN = 'my melody'
export const [SLOWEST, FASTEST] = [20, 300] // quarter-beats a minute

export class MelodyState {
  history: history.History<Tune> = $state.raw(history.begin(NONE))
  knobs: Required<KnobsAsked> = $state.raw(RESTING)
  turned: Turned | null = $state.raw(null)
  tempo = $state(NONE.tempo)
  length = $state(4) // sixteenths
  other: Other | null = $state.raw(null) // B of the grid
  rows = $state(5)
  columns = $state(5)
  across = $state(5) // columns of the grid that is drawn
  cells: GridCell[] = $state.raw([])
  chosen: [number, number] | null = $state.raw(null)
  playing = $state(false)
  busy = $state(false)
  private seq = 0
  private answered = 0
  private inFlight = false
  private again = false
  private failed = false // the newest was not answered
  private later: ReturnType<typeof setTimeout> | undefined
  private begun = false
  private readonly player: Player

  constructor(readonly studio: Studio) {
    this.player = new Player(this.music(this.source), () => (this.playing = false))
  }

  source = $derived(this.history.now.source)
  title = $derived(this.history.now.title)
  piece = $derived(this.history.now.piece)
  cursor = $derived(this.history.now.cursor)
  now: number[] = $derived(this.turned ? flat(this.turned.clips) : this.source)
  resting = $derived(this.knobs.pitch === 0 && this.knobs.rhythm === 0 && this.knobs.rest === 0)

  /** Where this browser left off; the melody of a piece where it has none. */
  private async begin(otherwise: string): Promise<void> {
    this.begun = true
    const kept = await load<Kept>(KEPT)
    if (kept) {
      this.other = kept.other
      this.go(kept.history)
      return
    }
    await this.open(otherwise)
    this.begun = this.title !== '' // else once more
    this.history = history.begin(this.history.now)
  }

  /** The server is there: for the first time, or again. */
  async connected(): Promise<void> {
    if (!this.begun) await this.begin(FIRST)
    else if (this.failed) await this.ask()
  }

  undo(): void {
    this.go(history.undo(this.noted()))
  }

  redo(): void {
    this.go(history.redo(this.noted()))
  }

  setTempo(tempo: number): void {
    this.tempo = tempo
    this.change()
    this.remember()
  }

  /** Take the melody of a piece. */
  async open(piece: string): Promise<void> {
    try {
      const found = await this.studio.sure(() => api.melody(piece))
      const source = flat(found.clips)
      const tempo = clamp(Math.round(found.tempo), SLOWEST, FASTEST)
      this.write({ source, title: found.track, piece, tempo, cursor: source.length, knobs: this.calm })
      this.studio.notice = found.warnings.join(' · ')
      this.studio.problem = ''
    } catch (error) {
      this.say(error)
    }
  }

  /** Begin an own melody. */
  clear(): void {
    this.write({ ...NONE, title: OWN, tempo: this.tempo, knobs: this.calm })
  }

  put(pitch: number | null): void {
    const { states, next } = enter(this.now, this.turned ? this.now.length : this.cursor, pitch, this.length)
    this.write({ ...this.own, source: states, cursor: next })
    if (pitch !== null) void this.studio.strike(pitch).catch((error: unknown) => this.say(error))
  }

  back(): void {
    const { states, next } = erase(this.now, this.turned ? this.now.length : this.cursor)
    const source = trim(states)
    this.write({ ...this.own, source, cursor: Math.min(next, source.length) })
  }

  turn(knobs: Partial<KnobsAsked>): void {
    this.knobs = { ...this.knobs, ...knobs }
    void this.ask()
    this.remember()
  }

  /** What the knobs gave becomes the melody. */
  take(states: number[] = this.now): void {
    this.write({ ...this.own, source: states, cursor: states.length })
  }

  async pick(piece: string, title: string): Promise<void> {
    try {
      this.setOther({ title, states: flat((await api.melody(piece)).clips) })
    } catch (error) {
      this.say(error)
    }
  }

  /** Keep this melody as the grid's other corner. */
  corner(): void {
    this.setOther({ title: `${this.title || OWN} (kept)`, states: this.now })
  }

  async blend(): Promise<void> {
    if (!this.other || !onsets(this.now)) return
    this.busy = true
    this.cells = []
    this.chosen = null
    this.across = this.columns
    try {
      const asked = { a: clipsOf(this.now), b: clipsOf(this.other.states), rows: this.rows, columns: this.columns }
      for await (const cell of api.grid(asked)) this.cells = [...this.cells, cell]
      this.studio.problem = ''
    } catch (error) {
      this.say(error)
    }
    this.busy = false
  }

  cell(row: number, column: number): GridCell | undefined {
    return this.cells.find((one) => one.row === row && one.column === column)
  }

  async play(states: number[] = this.now): Promise<void> {
    this.player.pause()
    this.playing = false
    if (!onsets(states)) return
    try {
      const piano = await this.studio.pianoOf()
      this.studio.problem = ''
      this.studio.player.pause()
      this.studio.playing = false
      this.player.change(this.music(states))
      this.player.use(piano)
      this.player.seek(0)
      this.player.play()
      this.playing = true
    } catch (error) {
      this.say(error)
    }
  }

  stop(): void {
    this.player.pause()
    this.playing = false
  }

  /** The step that sounds now, -1 where nothing plays. */
  get step(): number {
    return this.playing ? this.player.tick / TICKS : -1
  }

  async save(format: string): Promise<void> {
    try {
      const name = this.title || OWN
      const knobs = this.turned ? this.knobs : null
      const asked = { clips: clipsOf(this.now), tempo: this.tempo, name, format, knobs, source: name }
      const file = await api.melodyFile(asked)
      this.download(file)
    } catch (error) {
      this.say(error)
    }
  }

  /** The whole piece with its melody turned. */
  async savePiece(): Promise<void> {
    if (!this.piece) return
    try {
      const asked = { piece: this.piece, track: null, knobs: this.knobs }
      this.download(await this.studio.sure(() => api.sing(asked)))
    } catch (error) {
      this.say(error)
    }
  }

  private download(file: api.File): void {
    const link = document.createElement('a')
    link.href = URL.createObjectURL(file.blob)
    link.download = file.name
    link.click()
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000)
  }

  /** The knobs at rest; how they turn stays. */
  private get calm(): Required<KnobsAsked> {
    return { ...this.knobs, pitch: 0, rhythm: 0, rest: 0 }
  }

  private get own(): Tune {
    return { ...this.history.now, title: this.title || OWN, piece: null, tempo: this.tempo, knobs: this.calm }
  }

  private setOther(other: Other): void {
    this.other = other
    this.cells = []
    this.chosen = null
    this.remember()
  }

  /** The history with what knobs and tempo are now. */
  private noted(): history.History<Tune> {
    const now = { ...this.history.now, knobs: this.knobs, tempo: this.tempo }
    return { ...this.history, now }
  }

  /** Another melody: a step of the history. */
  private write(tune: Tune): void {
    this.go(history.write(this.noted(), tune))
  }

  private go(to: history.History<Tune>): void {
    const before = this.history.now.source
    this.history = to
    this.knobs = to.now.knobs
    this.tempo = to.now.tempo
    if (to.now.source !== before) {
      this.answered = ++this.seq // what is on its way is of the other melody
      this.turned = null
      this.cells = []
      this.chosen = null
    }
    void this.ask()
    this.remember()
  }

  private remember(): void {
    clearTimeout(this.later)
    this.later = setTimeout(() => void save(KEPT, $state.snapshot({ history: this.noted(), other: this.other })), SOON)
  }

  /** One request at a time; the newest knobs are asked for when it is back. */
  private async ask(): Promise<void> {
    if (this.resting || !onsets(this.source)) {
      this.answered = ++this.seq
      this.turned = null
      this.change()
      return
    }
    if (this.inFlight) {
      this.again = true
      return
    }
    this.inFlight = true
    const seq = ++this.seq
    try {
      const turned = await api.turn({ seq, clips: clipsOf(this.source), knobs: this.knobs })
      if (turned.seq >= this.answered) {
        this.answered = turned.seq
        this.turned = turned
        this.studio.problem = ''
        this.change()
      }
      this.failed = false
    } catch (error) {
      this.failed = true
      this.say(error)
    }
    this.inFlight = false
    if (this.again) {
      this.again = false
      void this.ask()
    }
  }

  private change(): void {
    this.player.change(this.music(this.now))
  }

  private music(states: number[]): Music {
    const notes = notesOf(states)
    const tempo = new Tempo([[0, 6e7 / this.tempo]], 4 * TICKS)
    return { notes, channels: [0], pedal: [], tempo, end: Math.max(notes.at(-1)?.end ?? 0, 1) }
  }

  private say(error: unknown): void {
    this.studio.problem = error instanceof Error ? error.message : String(error)
  }
}
