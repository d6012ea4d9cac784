// The state of the melody room: a melody, its knobs, what came of them, and the grid between two melodies.
import * as api from './api'
import { clipsOf, empty, enter, erase, flat, notesOf, onsets, TICKS, trim } from './melody'
import { Player, type Music } from './player'
import { Tempo } from './score'
import type { Studio } from './studio.svelte'
import type { GridCell, KnobsAsked, Turned } from './types'

export const RESTING: Required<KnobsAsked> = {
  pitch: 0, rhythm: 0, rest: 0, control: 'knob', faithfulness: 1, chromatic: false, seed: 0,
}

export class MelodyRoom {
  source: number[] = $state.raw(empty())
  title = $state('')
  piece: string | null = $state(null)
  tempo = $state(100)
  knobs: Required<KnobsAsked> = $state.raw(RESTING)
  turned: Turned | null = $state.raw(null)
  cursor = $state(0) // the step where the next note goes
  length = $state(4) // sixteenths
  other: { title: string; states: number[] } | null = $state.raw(null) // B of the grid
  rows = $state(5)
  columns = $state(5)
  cells: GridCell[] = $state.raw([])
  chosen: [number, number] | null = $state.raw(null)
  playing = $state(false)
  busy = $state(false)
  private seq = 0
  private answered = 0
  private inFlight = false
  private again = false
  private readonly player: Player

  constructor(readonly studio: Studio) {
    this.player = new Player(this.music(this.source), () => (this.playing = false))
  }

  now: number[] = $derived(this.turned ? flat(this.turned.clips) : this.source)
  resting = $derived(this.knobs.pitch === 0 && this.knobs.rhythm === 0 && this.knobs.rest === 0)

  /** Take the melody of a piece. */
  async open(piece: string): Promise<void> {
    try {
      const found = await this.studio.sure(() => api.melody(piece))
      this.source = flat(found.clips)
      this.title = `${found.track}`
      this.piece = piece
      this.tempo = Math.round(found.tempo)
      this.cursor = this.source.length
      this.knobs = RESTING
      this.turned = null
      this.cells = []
      this.chosen = null
      this.studio.notice = found.warnings.join(' · ')
      this.studio.problem = ''
      this.change()
    } catch (error) {
      this.say(error)
    }
  }

  /** Begin an own melody. */
  clear(): void {
    this.source = empty()
    this.title = 'my melody'
    this.piece = null
    this.cursor = 0
    this.knobs = RESTING
    this.turned = null
    this.cells = []
    this.change()
  }

  put(pitch: number | null): void {
    this.own()
    const { states, next } = enter(this.source, this.cursor, pitch, this.length)
    this.source = states
    this.cursor = next
    if (pitch !== null) void this.studio.strike(pitch)
    void this.ask()
  }

  back(): void {
    this.own()
    const { states, next } = erase(this.source, this.cursor)
    this.source = trim(states)
    this.cursor = Math.min(next, this.source.length)
    void this.ask()
  }

  turn(knobs: Partial<KnobsAsked>): void {
    this.knobs = { ...this.knobs, ...knobs }
    void this.ask()
  }

  /** What the knobs gave becomes the melody. */
  take(states: number[] = this.now): void {
    this.source = states
    this.piece = null
    this.knobs = RESTING
    this.turned = null
    this.cursor = states.length
    this.change()
  }

  async pick(piece: string, title: string): Promise<void> {
    try {
      this.other = { title, states: flat((await api.melody(piece)).clips) }
      this.cells = []
    } catch (error) {
      this.say(error)
    }
  }

  /** Keep this melody as the grid's other corner. */
  corner(): void {
    this.other = { title: `${this.title || 'melody'} (kept)`, states: this.now }
    this.cells = []
  }

  async blend(): Promise<void> {
    if (!this.other || !onsets(this.now)) return
    this.busy = true
    this.cells = []
    this.chosen = null
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
      const file = await api.melodyFile({ clips: clipsOf(this.now), tempo: this.tempo, name: this.title || 'melody', format })
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

  private own(): void {
    if (this.turned && !this.resting) this.take()
    this.piece = null
    if (!this.title) this.title = 'my melody'
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
    } catch (error) {
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
