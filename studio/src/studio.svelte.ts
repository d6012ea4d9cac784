// The state that the rooms share: the piece, its faders with their history, the newest edit, and the player.
import * as api from './lib/api'
import * as faders from './rooms/faders/faders'
import * as history from './lib/history'
import { Player, type Music } from './lib/player'
import { compare, notesOf, Tempo, type Difference } from './lib/score'
import type { Port } from './lib/midiout'
import { openPiano, silent, type Piano } from './lib/synth'
import type { AboutResponse, EditResponse, PieceInfo } from './lib/types'
import * as works from './rooms/faders/works'

export type Room = 'faders' | 'melody' | 'inspect'
const ONE_STEP = 1000 // milliseconds: presses of a key in quicker succession are one step of undo
const EMPTY: Music = { notes: [], channels: [], pedal: [], tempo: new Tempo([[0, 500000]], 480), end: 0 }

export class Studio {
  about: AboutResponse | null = $state.raw(null)
  piece: PieceInfo | null = $state.raw(null)
  model = $state(localStorage.getItem('model') ?? '') // one that the server offers, else its first
  earlier: works.Name[] = $state.raw([]) // pieces that were worked on, the newest first
  history: history.History<faders.Faders> = $state.raw(history.begin(faders.REST))
  draft: faders.Faders | null = $state.raw(null) // while a fader is dragged
  edited: EditResponse | null = $state.raw(null)
  variants: EditResponse[] | null = $state.raw(null)
  snapshots: history.Snapshot<faders.Faders>[] = $state.raw([])
  original = $state(false) // A/B: the source is heard and shown
  playing = $state(false)
  head = $state(0) // the tick of the playhead
  looping = $state(false)
  rate = $state(1)
  selection: [number, number] | null = $state.raw(null) // bars
  problem = $state('')
  notice = $state('')
  busy = $state(false)
  online = $state(true)
  loading = $state(false) // the piano
  port: Port | null = $state.raw(null)
  latency = 0 // milliseconds from the newest move to its answer
  private data: ArrayBuffer | null = null // of an uploaded file
  private opened = 0 // number of the newest piece to be opened
  private newest = 0 // number of the newest request; Infinity while the faders are at rest
  private pressed = { fader: '', at: 0 } // the newest move by a key
  private sentAt = new Map<number, number>() // request -> time
  private piano: Promise<Piano> | null = null
  private sound: Piano | null = null
  private live: api.Live | null = null
  readonly player = new Player(EMPTY, () => (this.playing = false))

  now: faders.Faders = $derived(this.draft ?? this.history.now)
  resting = $derived(faders.atRest(this.now))
  difference: Difference | null = $derived.by(() => {
    if (!this.piece) return null
    const source = notesOf(this.piece.notes)
    return compare(source, this.edited && !this.original ? notesOf(this.edited.notes) : source)
  })

  /** Connect to the server, and go on with the piece that this browser last worked on. */
  async start(): Promise<void> {
    this.live = new api.Live(
      (edited) => this.receive(edited),
      (error) => this.refused(error.seq ?? 0, error.error),
      (state) => {
        if (state === 'open' && !this.online) void this.reconnected()
        this.online = state === 'open'
      },
    )
    try {
      this.about = await api.about()
      if (!this.models.includes(this.model)) this.model = this.models[0]!
      this.earlier = await works.list()
      if (!this.earlier[0] || !(await this.resume(this.earlier[0].piece))) await this.open(this.about.pieces[0]!.id)
    } catch (error) {
      this.showError(error)
    }
  }

  /** Open a bundled piece, or one that was worked on in its last state. */
  async open(id: string): Promise<void> {
    await this.guarded(() => this.load(id))
  }

  /** The models that edit segments. */
  get models(): string[] {
    return (this.about?.models ?? []).filter((one) => one.codec !== 'melody').map((one) => one.name)
  }

  /** Edit with another model. */
  async use(model: string): Promise<void> {
    await this.guarded(async () => {
      const { piece } = this
      if (piece) this.piece = await this.withUpload(() => api.piece(piece.id, model))
      this.model = model
      localStorage.setItem('model', model)
      this.variants = null
      if (!this.resting) this.send(false)
    })
  }

  async openFile(file: File): Promise<void> {
    await this.guarded(async () => {
      const most = this.about?.most_bytes ?? 2 ** 21
      if (file.size > most) throw new Error(`${file.name}: ${file.size} bytes; at most ${most} are taken`)
      const data = await file.arrayBuffer()
      await this.load(null, file.name, data)
    })
  }

  /** Make a request that needs the piece's file; where the server no longer holds it, upload it and try again. */
  async withUpload<T>(act: () => Promise<T>): Promise<T> {
    try {
      return await act()
    } catch (error) {
      if (!(error instanceof api.Problem) || error.status !== 404 || !this.data || !this.piece) throw error
      await api.upload(this.piece.title, this.data)
      return act()
    }
  }

  /** A fader is being dragged, and the roll follows. */
  drag(next: faders.Faders): void {
    this.draft = { ...next, variation: null }
    this.original = false
    this.send(true)
  }

  /** A fader was released, which is one step of the history. by: the fader that a key moved; further presses of the key
   * are the same step. */
  release(next: faders.Faders = this.now, by = ''): void {
    this.draft = null
    const at = performance.now()
    const sameStep = by !== '' && by === this.pressed.fader && at - this.pressed.at < ONE_STEP
    const before = this.history
    this.history = sameStep ? history.amend(before, next) : history.write(before, next)
    this.pressed = { fader: this.history === before ? '' : by, at }
    this.variants = null
    this.original = false
    this.send(false)
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

  removeSnapshot(name: string): void {
    this.snapshots = this.snapshots.filter((one) => one.name !== name)
    this.remember()
  }

  async requestVariations(count = 4): Promise<void> {
    await this.guarded(async () => {
      this.busy = true
      this.variants = await this.withUpload(() => api.variations(this.request(false), count))
    })
    this.busy = false
  }

  /** Hear a variation without keeping it. */
  audition(index: number): void {
    const chosen = this.variants?.[index]
    this.original = false
    if (chosen) this.show(chosen)
  }

  keepVariation(index: number): void {
    const count = this.variants?.length ?? 1
    const chosen = this.variants?.[index]
    this.draft = null
    this.original = false
    this.pressed.fader = ''
    this.history = history.write(this.history, { ...this.now, variation: { index, count } })
    this.variants = null
    if (chosen) this.show(chosen)
    this.remember()
  }

  request(draft: boolean): Omit<Parameters<typeof api.edit>[0], 'seq'> & { seq: number } {
    const piece = this.piece!
    return { seq: 0, piece: piece.id, model: piece.model, faders: faders.requestOf(this.now, piece.means), draft }
  }

  // --- bars

  select(bars: [number, number] | null): void {
    this.selection = bars
    if (this.looping) this.applyLoop()
  }

  toggleLock(): void {
    const [first, last] = this.selection ?? [1, this.bars]
    const inside = Array.from({ length: last - first + 1 }, (_, i) => first + i)
    const all = inside.every((bar) => this.now.locked.includes(bar))
    const locked = all
      ? this.now.locked.filter((bar) => !inside.includes(bar))
      : [...new Set([...this.now.locked, ...inside])].sort((a, b) => a - b)
    this.release({ ...this.now, locked })
  }

  /** Edit the selected bars alone, or all bars again. */
  toggleEditedBars(): void {
    this.release({ ...this.now, bars: this.now.bars ? null : this.selection })
  }

  toggleLoop(): void {
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

  async togglePlay(): Promise<void> {
    if (this.player.playing) {
      this.player.pause()
      this.playing = false
      return
    }
    await this.guarded(async () => {
      this.loading = this.sound === null
      await this.loadPiano()
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

  /** Play one note at once. */
  async playNote(pitch: number, velocity = 80, seconds = 0.4): Promise<void> {
    const piano = await this.loadPiano()
    const now = piano.now
    piano.on(0, pitch, velocity, now)
    piano.off(0, pitch, now + seconds)
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
    await this.sound.context.resume()
    return this.sound
  }

  setRate(rate: number): void {
    this.rate = rate
    this.player.setRate(rate)
  }

  async playTo(port: Port | null): Promise<void> {
    const before = this.port
    this.port = port
    this.route()
    before?.close()
  }

  private route(): void {
    if (!this.sound) return
    this.player.use(...(this.port ? [silent(this.sound), this.port] : [this.sound]))
  }

  toggleOriginal(): void {
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

  private async load(id: string | null, title = '', data: ArrayBuffer | null = null): Promise<void> {
    const number = ++this.opened
    const before = id === null ? undefined : await works.workOn(id)
    const bytes = data ?? before?.data ?? null
    const uploaded = bytes && (await api.upload(before?.title ?? title, bytes))
    const piece = uploaded?.model === this.model ? uploaded : await api.piece(uploaded?.id ?? id!, this.model)
    const work = before ?? (await works.workOn(piece.id))
    if (number === this.opened) this.setPiece(piece, bytes, work)
  }

  private setPiece(piece: PieceInfo, data: ArrayBuffer | null, work?: works.Work): void {
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
    this.send(false)
    this.remember()
  }

  private step(next: history.History<faders.Faders>): void {
    this.draft = null
    this.variants = null
    if (next === this.history) return
    this.original = false
    this.pressed.fader = ''
    this.history = next
    this.send(false)
    this.remember()
  }

  private send(draft: boolean): void {
    if (!this.piece || !this.live) return
    if (faders.atRest(this.now)) {
      this.newest = Infinity
      this.show(null)
      return
    }
    this.newest = this.live.edit(this.request(draft))
    this.sentAt.set(this.newest, performance.now())
    this.busy = !draft
  }

  private receive(edited: EditResponse): void {
    const began = this.sentAt.get(edited.seq)
    for (const seq of this.sentAt.keys()) if (seq <= edited.seq) this.sentAt.delete(seq)
    if (this.newest === Infinity || edited.piece !== this.piece?.id) return
    if (edited.seq === this.newest) this.busy = false
    if (began !== undefined) this.latency = performance.now() - began
    this.problem = ''
    this.show(edited)
  }

  private refused(seq: number, error: string): void {
    if (seq === this.newest) this.busy = false
    if (error.includes('open its file again') && this.data) {
      void this.reconnected()
      return
    }
    this.problem = error
  }

  private show(edited: EditResponse | null): void {
    this.edited = edited
    this.player.change(this.music())
    this.notice = (edited?.warnings ?? this.piece?.warnings ?? []).join(' · ')
    if (this.looping) this.applyLoop()
  }

  /** The server answers again, and may no longer hold an uploaded piece. */
  private async reconnected(): Promise<void> {
    await this.guarded(async () => {
      if (this.data && this.piece) await api.upload(this.piece.title, this.data)
      this.problem = ''
      if (!this.resting) this.send(false)
    })
  }

  private async resume(id: string): Promise<boolean> {
    try {
      await this.load(id)
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
      this.showError(error)
    }
  }

  private showError(error: unknown): void {
    this.problem = error instanceof Error ? error.message : String(error)
    this.busy = false
  }
}
