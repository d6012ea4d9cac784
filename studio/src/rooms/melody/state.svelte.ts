// The state of the melody room: a melody, its knobs, the turned melody, and the blend of two melodies.
import * as api from '../../lib/api'
import * as history from '../../lib/history'
import { clamp } from '../../lib/values'
import { clipsOf, empty, enter, erase, flat, notesOf, onsets, TICKS, trim } from './melody'
import { Player, type Music } from '../../lib/player'
import { Tempo } from '../../lib/score'
import { load, save } from '../../lib/store'
import type { Studio } from '../../studio.svelte'
import type { BlendCell, KnobsRequest, SliderGroup, TurnResponse } from '../../lib/types'

export const RESTING: Required<KnobsRequest> = {
  pitch: 0, rhythm: 0, rest: 0, control: 'knob', faithfulness: 1, chromatic: false, seed: 0, dimensions: {},
}

/** A state that undo returns to: a melody, its knobs, and where the next note goes. */
interface Tune {
  source: number[]
  title: string
  piece: string | null // the piece whose melody it is
  tempo: number
  cursor: number // the step where the next note goes
  knobs: Required<KnobsRequest>
}

interface Other {
  title: string
  states: number[]
}

/** What this browser stores over a reload. */
interface Stored {
  history: history.History<Tune>
  other: Other | null
}

const NONE: Tune = { source: empty(), title: '', piece: null, tempo: 100, cursor: 0, knobs: RESTING }
const STORE_KEY = 'melody'
const STORE_DELAY = 100 // milliseconds after the last change
const FIRST = 'k265' // the piece whose melody is opened first
const UNTITLED = 'my melody'
export const [SLOWEST, FASTEST] = [20, 300] // quarter notes a minute

export class MelodyState {
  history: history.History<Tune> = $state.raw(history.begin(NONE))
  knobs: Required<KnobsRequest> = $state.raw(RESTING)
  turned: TurnResponse | null = $state.raw(null)
  tempo = $state(NONE.tempo)
  length = $state(4) // sixteenths
  other: Other | null = $state.raw(null) // melody B of the blend
  rows = $state(5)
  columns = $state(5)
  drawnColumns = $state(5) // of the blend that is drawn
  cells: BlendCell[] = $state.raw([])
  chosen: [number, number] | null = $state.raw(null)
  playing = $state(false)
  busy = $state(false)
  groups: SliderGroup[] = $state.raw([]) // dimensions of the code, by knob
  private seq = 0
  private answered = 0
  private inFlight = false
  private changedInFlight = false // the knobs moved while a request was in flight
  private failed = false // the newest request had no answer
  private storeTimer: ReturnType<typeof setTimeout> | undefined
  private started = false
  private drawing = 0 // number of the newest blend
  private intent = 0 // number of the newest play or stop
  private readonly player: Player

  constructor(readonly studio: Studio) {
    this.player = new Player(this.music(this.source), () => (this.playing = false))
  }

  source = $derived(this.history.now.source)
  title = $derived(this.history.now.title)
  piece = $derived(this.history.now.piece)
  cursor = $derived(this.history.now.cursor)
  now: number[] = $derived(this.turned ? flat(this.turned.clips) : this.source)
  resting = $derived(this.knobs.pitch === 0 && this.knobs.rhythm === 0 && this.knobs.rest === 0 && !Object.keys(this.knobs.dimensions).length)

  /** Go on with the melody that this browser stored, else with that of a piece. */
  private async start(otherwise: string): Promise<void> {
    this.started = true
    const stored = await load<Stored>(STORE_KEY)
    if (stored) {
      this.other = stored.other
      this.setHistory(stored.history)
      return
    }
    await this.open(otherwise)
    this.started = this.title !== '' // otherwise the next connection tries again
    this.history = history.begin(this.history.now)
  }

  /** The server answers, for the first time or again. */
  async connected(): Promise<void> {
    if (!this.started) await this.start(FIRST)
    else if (this.failed) await this.send()
    if (!this.groups.length) this.groups = await api.sliders().catch(() => [])
  }

  /** Move one dimension of the code by so many deviations. */
  moveDimension(dimension: number, amount: number): void {
    const { [dimension]: _, ...others } = this.knobs.dimensions
    this.turn({ dimensions: amount ? { ...others, [dimension]: amount } : others })
  }

  /** Why no blend can be drawn; empty where one can. */
  get cannotBlend(): string {
    if (!this.other) return 'choose a second melody first'
    return onsets(this.now) ? '' : 'enter a melody first'
  }

  undo(): void {
    this.setHistory(history.undo(this.currentHistory()))
  }

  redo(): void {
    this.setHistory(history.redo(this.currentHistory()))
  }

  setTempo(tempo: number): void {
    this.tempo = tempo
    this.updatePlayer()
    this.store()
  }

  /** Open the melody of a piece. */
  async open(piece: string): Promise<void> {
    try {
      const found = await this.studio.withUpload(() => api.melody(piece))
      const source = flat(found.clips)
      const tempo = clamp(Math.round(found.tempo), SLOWEST, FASTEST)
      this.write({ source, title: found.track, piece, tempo, cursor: source.length, knobs: this.knobsAtRest })
      this.studio.notice = found.warnings.join(' · ')
      this.studio.problem = ''
    } catch (error) {
      this.showError(error)
    }
  }

  /** Begin an empty melody. */
  clear(): void {
    this.write({ ...NONE, title: UNTITLED, tempo: this.tempo, knobs: this.knobsAtRest })
  }

  enterNote(pitch: number | null): void {
    const { states, next } = enter(this.now, this.turned ? this.now.length : this.cursor, pitch, this.length)
    this.write({ ...this.edited, source: states, cursor: next })
    if (pitch !== null) void this.studio.transport.playNote(pitch).catch((error: unknown) => this.showError(error))
  }

  eraseNote(): void {
    const { states, next } = erase(this.now, this.turned ? this.now.length : this.cursor)
    const source = trim(states)
    this.write({ ...this.edited, source, cursor: Math.min(next, source.length) })
  }

  turn(knobs: Partial<KnobsRequest>): void {
    this.knobs = { ...this.knobs, ...knobs }
    void this.send()
    this.store()
  }

  /** The turned melody becomes the melody. */
  take(states: number[] = this.now): void {
    this.write({ ...this.edited, source: states, cursor: states.length })
  }

  async openOther(piece: string, title: string): Promise<void> {
    try {
      this.setOther({ title, states: flat((await api.melody(piece)).clips) })
    } catch (error) {
      this.showError(error)
    }
  }

  /** Keep this melody as B, the other corner of the blend. */
  keepAsOther(): void {
    this.setOther({ title: `${this.title || UNTITLED} (kept)`, states: this.now })
  }

  async blend(): Promise<void> {
    if (!this.other || !onsets(this.now)) return
    const drawing = ++this.drawing
    this.busy = true
    this.cells = []
    this.chosen = null
    this.drawnColumns = this.columns
    try {
      const request = { a: clipsOf(this.now), b: clipsOf(this.other.states), rows: this.rows, columns: this.columns, control: this.knobs.control }
      for await (const cell of api.blend(request)) {
        if (drawing !== this.drawing) return
        this.cells = [...this.cells, cell]
      }
      this.studio.problem = ''
    } catch (error) {
      if (drawing === this.drawing) this.showError(error)
    }
    if (drawing === this.drawing) this.busy = false
  }

  /** How far the corners of the drawn blend are from A and B, in words. */
  get corners(): string {
    const [a, b] = [this.cells[0]?.differs, this.cells.find((one, index) => index > 0 && typeof one.differs === 'number')?.differs]
    if (typeof a !== 'number' || typeof b !== 'number') return ''
    if (a === 0 && b === 0) return 'the corners are A and B'
    return `the corners are decoded: ${Math.round(100 * a)} % of the steps differ from A, ${Math.round(100 * b)} % from B`
  }

  cell(row: number, column: number): BlendCell | undefined {
    return this.cells.find((one) => one.row === row && one.column === column)
  }

  async play(states: number[] = this.now): Promise<void> {
    this.stop()
    const { intent } = this
    if (!onsets(states)) return
    try {
      const piano = await this.studio.transport.loadPiano()
      if (intent !== this.intent) return // stopped, or the room was left, while it loaded
      this.studio.problem = ''
      this.studio.transport.pause()
      this.player.change(this.music(states))
      piano.reset?.()
      this.player.use(...this.studio.transport.outs(piano))
      this.player.seek(0)
      this.player.play()
      this.playing = true
    } catch (error) {
      this.showError(error)
    }
  }

  stop(): void {
    this.intent++
    this.player.pause()
    this.playing = false
  }

  /** The step that sounds now; -1 while nothing plays. */
  get step(): number {
    return this.playing ? this.player.tick / TICKS : -1
  }

  async save(format: string): Promise<void> {
    try {
      const name = this.title || UNTITLED
      const knobs = this.turned ? this.knobs : null
      const request = { clips: clipsOf(this.now), tempo: this.tempo, name, format, knobs, source: name }
      const file = await api.melodyFile(request)
      this.download(file)
    } catch (error) {
      this.showError(error)
    }
  }

  /** Save the whole piece with its melody turned. */
  async savePiece(): Promise<void> {
    if (!this.piece) return
    try {
      const request = { piece: this.piece, track: null, knobs: this.knobs }
      this.download(await this.studio.withUpload(() => api.editMelody(request)))
    } catch (error) {
      this.showError(error)
    }
  }

  private download(file: api.File): void {
    const link = document.createElement('a')
    link.href = URL.createObjectURL(file.blob)
    link.download = file.name
    link.click()
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000)
  }

  /** The knobs at rest, with their other settings unchanged. */
  private get knobsAtRest(): Required<KnobsRequest> {
    return { ...this.knobs, pitch: 0, rhythm: 0, rest: 0, dimensions: {} }
  }

  private get edited(): Tune {
    return { ...this.history.now, title: this.title || UNTITLED, piece: null, tempo: this.tempo, knobs: this.knobsAtRest }
  }

  private setOther(other: Other): void {
    this.other = other
    this.clearBlend()
    this.store()
  }

  /** What is drawn, or being drawn, is the blend of another melody. */
  private clearBlend(): void {
    this.drawing++
    this.busy = false
    this.cells = []
    this.chosen = null
  }

  /** The history with the current knobs and tempo. */
  private currentHistory(): history.History<Tune> {
    const now = { ...this.history.now, knobs: this.knobs, tempo: this.tempo }
    return { ...this.history, now }
  }

  /** Change the melody, which is a step of the history. */
  private write(tune: Tune): void {
    this.setHistory(history.write(this.currentHistory(), tune))
  }

  private setHistory(to: history.History<Tune>): void {
    const before = this.history.now.source
    this.history = to
    this.knobs = { ...RESTING, ...to.now.knobs } // what an older page stored knows fewer of them
    this.tempo = to.now.tempo
    if (to.now.source !== before) {
      this.answered = ++this.seq // answers in flight are of the other melody
      this.turned = null
      this.clearBlend()
    }
    void this.send()
    this.store()
  }

  private store(): void {
    clearTimeout(this.storeTimer)
    this.storeTimer = setTimeout(async () => {
      this.studio.unsaved = !(await save(STORE_KEY, $state.snapshot({ history: this.currentHistory(), other: this.other })))
    }, STORE_DELAY)
  }

  /** Send one request at a time; after its answer, the newest knobs follow. */
  private async send(): Promise<void> {
    if (this.resting || !onsets(this.source)) {
      this.answered = ++this.seq
      this.turned = null
      this.updatePlayer()
      return
    }
    if (this.inFlight) {
      this.changedInFlight = true
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
        this.updatePlayer()
      }
      this.failed = false
    } catch (error) {
      this.failed = true
      this.showError(error)
    }
    this.inFlight = false
    if (this.changedInFlight) {
      this.changedInFlight = false
      void this.send()
    }
  }

  private updatePlayer(): void {
    this.player.change(this.music(this.now))
  }

  private music(states: number[]): Music {
    const notes = notesOf(states)
    const tempo = new Tempo([[0, 6e7 / this.tempo]], 4 * TICKS)
    return { notes, channels: [0], pedal: [], tempo, end: Math.max(notes.at(-1)?.end ?? 0, 1) }
  }

  private showError(error: unknown): void {
    this.studio.problem = error instanceof Error ? error.message : String(error)
  }
}
