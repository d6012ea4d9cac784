// The state of the faders' room: a piece, its faders with their history, what came of them, the player.
import * as api from './lib/api'
import * as faders from './rooms/faders/faders'
import * as history from './lib/history'
import { Player, type Music } from './lib/player'
import { compare, notesOf, Tempo, type Difference } from './lib/score'
import type { Port } from './lib/midiout'
import { openPiano, silent, type Piano } from './lib/synth'
import type { About, Edited, PieceInfo } from './lib/types'
import * as works from './rooms/faders/works'

export type Room = 'faders' | 'melody' | 'inspect'
const TOGETHER = 1000 // milliseconds: presses of a key that follow each other sooner are one step of undo
const EMPTY: Music = { notes: [], channels: [], pedal: [], tempo: new Tempo([[0, 500000]], 480), end: 0 }

export class Studio {
  about: About | null = $state.raw(null)
  piece: PieceInfo | null = $state.raw(null)
  model = $state(localStorage.getItem('model') ?? '') // of those that the server offers, else the first
  earlier: works.Name[] = $state.raw([]) // pieces that were worked on, the newest first
  history: history.History<faders.Faders> = $state.raw(history.begin(faders.REST))
  draft: faders.Faders | null = $state.raw(null) // while a fader is dragged
  edited: Edited | null = $state.raw(null)
  variants: Edited[] | null = $state.raw(null)
  snapshots: history.Snapshot<faders.Faders>[] = $state.raw([])
  original = $state(false) // A/B: hear and see the source
  playing = $state(false)
  head = $state(0) // the tick that the roll shows as played
  looping = $state(false)
  rate = $state(1)
  selection: [number, number] | null = $state.raw(null) // bars
  problem = $state('')
  notice = $state('')
  busy = $state(false)
  online = $state(true)
  loading = $state(false) // the piano
  port: Port | null = $state.raw(null)
  latency = 0 // milliseconds from the newest move to its roll
  private data: ArrayBuffer | null = null // of an uploaded file
  private opened = 0
  private asked = 0
  private pressed = { what: '', at: 0 } // the newest move that was a key's
  private since = new Map<number, number>()
  private piano: Promise<Piano> | null = null
  private sound: Piano | null = null
  private live: api.Live | null = null
  readonly player = new Player(EMPTY, () => (this.playing = false))

  now: faders.Faders = $derived(this.draft ?? this.history.now)
  rest = $derived(faders.atRest(this.now))
  difference: Difference | null = $derived.by(() => {
    if (!this.piece) return null
    const source = notesOf(this.piece.notes)
    return compare(source, this.edited && !this.original ? notesOf(this.edited.notes) : source)
  })

  /** Ask what there is, and go on where this browser was. */
  async start(): Promise<void> {
    this.live = new api.Live(
      (edited) => this.answered(edited),
      (failed) => this.failed(failed.seq ?? 0, failed.error),
      (state) => {
        if (state === 'open' && !this.online) void this.back()
        this.online = state === 'open'
      },
    )
    try {
      this.about = await api.about()
      if (!this.models.includes(this.model)) this.model = this.models[0]!
      this.earlier = await works.list()
      if (!this.earlier[0] || !(await this.resume(this.earlier[0].piece))) await this.open(this.about.pieces[0]!.id)
    } catch (error) {
      this.say(error)
    }
  }

  /** Open a bundled piece, or one that was worked on, as it was left. */
  async open(id: string): Promise<void> {
    await this.guarded(() => this.bring(id))
  }

  /** Those that edit segments. */
  get models(): string[] {
    return (this.about?.models ?? []).filter((one) => one.codec !== 'melody').map((one) => one.name)
  }

  /** Edit with another model from now on. */
  async use(model: string): Promise<void> {
    await this.guarded(async () => {
      const { piece } = this
      if (piece) this.piece = await this.sure(() => api.piece(piece.id, model))
      this.model = model
      localStorage.setItem('model', model)
      this.variants = null
      if (!this.rest) this.ask(false)
    })
  }

  async drop(file: File): Promise<void> {
    await this.guarded(async () => {
      const most = this.about?.most_bytes ?? 2 ** 21
      if (file.size > most) throw new Error(`${file.name}: ${file.size} bytes; at most ${most} are taken`)
      const data = await file.arrayBuffer()
      await this.bring(null, file.name, data)
    })
  }

  /** Ask for something that needs the piece's file: the server is given it again where it has let go of it. */
  async sure<T>(act: () => Promise<T>): Promise<T> {
    try {
      return await act()
    } catch (error) {
      if (!(error instanceof api.Problem) || error.status !== 404 || !this.data || !this.piece) throw error
      await api.upload(this.piece.title, this.data)
      return act()
    }
  }

  /** A fader that is being dragged: the roll follows. */
  drag(next: faders.Faders): void {
    this.draft = { ...next, variation: null }
    this.original = false
    this.ask(true)
  }

  /** A fader that was let go: one step of the history. by: what a key has moved; its next press is the same step. */
  release(next: faders.Faders = this.now, by = ''): void {
    this.draft = null
    const at = performance.now()
    const again = by !== '' && by === this.pressed.what && at - this.pressed.at < TOGETHER
    const before = this.history
    this.history = again ? history.amend(before, next) : history.write(before, next)
    this.pressed = { what: this.history === before ? '' : by, at }
    this.variants = null
    this.original = false
    this.ask(false)
    this.remember()
  }

  set(name: string, value: number | string | null, dragging = false, by = ''): void {
    const values = { ...this.now.values }
    if (value === null) delete values[name]
    else values[name] = value
    const next = { ...this.now, values, variation: null }
    if (dragging) this.drag(next)
    else this.release(next, by)
  }

  undo(): void {
    this.step(history.undo(this.history))
  }

  redo(): void {
    this.step(history.redo(this.history))
  }

  reset(): void {
    this.release({ ...faders.REST, seed: this.now.seed })
  }

  snapshot(name: string): void {
    this.snapshots = history.keep(this.snapshots, name, this.history.now)
    this.remember()
  }

  forget(name: string): void {
    this.snapshots = this.snapshots.filter((one) => one.name !== name)
    this.remember()
  }

  async vary(count = 4): Promise<void> {
    await this.guarded(async () => {
      this.busy = true
      this.variants = await this.sure(() => api.variations(this.request(false), count))
    })
    this.busy = false
  }

  /** Hear a variation without keeping it. */
  audition(index: number): void {
    const chosen = this.variants?.[index]
    this.original = false
    if (chosen) this.show(chosen)
  }

  keep(index: number): void {
    const count = this.variants?.length ?? 1
    const chosen = this.variants?.[index]
    this.draft = null
    this.original = false
    this.pressed.what = ''
    this.history = history.write(this.history, { ...this.now, variation: { index, count } })
    this.variants = null
    if (chosen) this.show(chosen)
    this.remember()
  }

  request(draft: boolean): Omit<Parameters<typeof api.edit>[0], 'seq'> & { seq: number } {
    const piece = this.piece!
    return { seq: 0, piece: piece.id, model: piece.model, faders: faders.asked(this.now, piece.means), draft }
  }

  // --- bars

  select(bars: [number, number] | null): void {
    this.selection = bars
    if (this.looping) this.applyLoop()
  }

  lock(): void {
    const [first, last] = this.selection ?? [1, this.bars]
    const inside = Array.from({ length: last - first + 1 }, (_, i) => first + i)
    const all = inside.every((bar) => this.now.locked.includes(bar))
    const locked = all
      ? this.now.locked.filter((bar) => !inside.includes(bar))
      : [...new Set([...this.now.locked, ...inside])].sort((a, b) => a - b)
    this.release({ ...this.now, locked })
  }

  /** Edit the selected bars alone, or all again. */
  confine(): void {
    this.release({ ...this.now, bars: this.now.bars ? null : this.selection })
  }

  loop(): void {
    this.looping = !this.looping
    this.applyLoop()
  }

  get bars(): number {
    return (this.piece?.bars.length ?? 2) - 1
  }

  private applyLoop(): void {
    const lines = this.piece?.bars ?? [0]
    const [first, last] = this.selection ?? [1, this.bars]
    this.player.loop = this.looping ? [lines[first - 1] ?? 0, Math.min(lines[last] ?? 0, this.music().end)] : null
  }

  // --- sound

  async toggle(): Promise<void> {
    if (this.player.playing) {
      this.player.pause()
      this.playing = false
      return
    }
    await this.guarded(async () => {
      this.loading = this.sound === null
      await this.pianoOf()
      this.route()
      this.player.play()
      this.playing = true
    })
    this.loading = false
  }

  seek(tick: number): void {
    this.player.seek(tick)
    this.head = this.player.tick
  }

  get analyser(): AnalyserNode | null {
    return this.sound?.level ?? null
  }

  /** Sound a note at once: of keys, and of points of a map. */
  async strike(pitch: number, velocity = 80, seconds = 0.4): Promise<void> {
    const piano = await this.pianoOf()
    const now = piano.now
    piano.on(0, pitch, velocity, now)
    piano.off(0, pitch, now + seconds)
  }

  /** The piano, loaded at its first use; once more where it could not be. */
  async pianoOf(): Promise<Piano> {
    this.piano ??= openPiano()
    try {
      this.sound = await this.piano
    } catch (error) {
      this.piano = null
      throw error
    }
    await this.sound.context.resume()
    return this.sound
  }

  setRate(rate: number): void {
    this.rate = rate
    this.player.setRate(rate)
  }

  async to(port: Port | null): Promise<void> {
    const before = this.port
    this.port = port
    this.route()
    before?.close()
  }

  private route(): void {
    if (!this.sound) return
    this.player.use(...(this.port ? [silent(this.sound), this.port] : [this.sound]))
  }

  flip(): void {
    this.original = !this.original
    this.player.change(this.music())
  }

  music(): Music {
    const piece = this.piece
    if (!piece) return EMPTY
    const from = this.original || !this.edited ? piece : this.edited
    return {
      notes: notesOf(from.notes),
      channels: piece.channels,
      pedal: from.pedal,
      tempo: new Tempo(from.tempo, piece.tpq),
      end: Math.max(from.end, 1),
    }
  }

  // --- inside

  private async bring(id: string | null, title = '', data: ArrayBuffer | null = null): Promise<void> {
    const turn = ++this.opened
    const before = id === null ? undefined : await works.workOn(id)
    const bytes = data ?? before?.data ?? null
    const given = bytes && (await api.upload(before?.title ?? title, bytes))
    const piece = given?.model === this.model ? given : await api.piece(given?.id ?? id!, this.model)
    const work = before ?? (await works.workOn(piece.id))
    if (turn === this.opened) this.take(piece, bytes, work)
  }

  private take(piece: PieceInfo, data: ArrayBuffer | null, work?: works.Work): void {
    this.player.pause()
    this.playing = false
    this.piece = piece
    this.data = data
    this.history = work?.history ?? history.begin(faders.REST)
    this.draft = null
    this.edited = null
    this.variants = null
    this.snapshots = work?.snapshots ?? []
    this.selection = null
    this.original = false
    this.looping = false
    this.player.loop = null
    this.player.change(this.music())
    this.seek(0)
    this.notice = piece.warnings.join(' · ')
    this.ask(false)
    this.remember()
  }

  private step(next: history.History<faders.Faders>): void {
    this.draft = null
    this.variants = null
    if (next === this.history) return
    this.original = false
    this.pressed.what = ''
    this.history = next
    this.ask(false)
    this.remember()
  }

  private ask(draft: boolean): void {
    if (!this.piece || !this.live) return
    if (faders.atRest(this.now)) {
      this.asked = Infinity
      this.show(null)
      return
    }
    this.asked = this.live.move(this.request(draft))
    this.since.set(this.asked, performance.now())
    this.busy = !draft
  }

  private answered(edited: Edited): void {
    const began = this.since.get(edited.seq)
    for (const seq of this.since.keys()) if (seq <= edited.seq) this.since.delete(seq)
    if (this.asked === Infinity || edited.piece !== this.piece?.id) return
    if (edited.seq === this.asked) this.busy = false
    if (began !== undefined) this.latency = performance.now() - began
    this.problem = ''
    this.show(edited)
  }

  private failed(seq: number, error: string): void {
    if (seq === this.asked) this.busy = false
    if (error.includes('open its file again') && this.data) {
      void this.back()
      return
    }
    this.problem = error
  }

  private show(edited: Edited | null): void {
    this.edited = edited
    this.player.change(this.music())
    this.notice = (edited?.warnings ?? this.piece?.warnings ?? []).join(' · ')
    if (this.looping) this.applyLoop()
  }

  /** The server is back, and may know nothing of an uploaded piece. */
  private async back(): Promise<void> {
    await this.guarded(async () => {
      if (this.data && this.piece) await api.upload(this.piece.title, this.data)
      this.problem = ''
      if (!this.rest) this.ask(false)
    })
  }

  private async resume(id: string): Promise<boolean> {
    try {
      await this.bring(id)
      return true
    } catch {
      return false
    }
  }

  private remember(): void {
    const { piece, data, history, snapshots } = this
    if (!piece) return
    const work = { piece: piece.id, title: piece.title, data, history, snapshots }
    void works.keep($state.snapshot(work) as works.Work).then((names) => (this.earlier = names))
  }

  private async guarded(act: () => Promise<void>): Promise<void> {
    try {
      this.problem = ''
      await act()
    } catch (error) {
      this.say(error)
    }
  }

  private say(error: unknown): void {
    this.problem = error instanceof Error ? error.message : String(error)
    this.busy = false
  }
}
