// Pieces opened, kept in this browser with their work, and shared with other tabs.
import * as api from '../lib/api'
import * as history from '../lib/history'
import * as layers from '../rooms/faders/regions'
import type { Layers } from '../rooms/faders/regions'
import type { PieceInfo } from '../lib/types'
import { megabytes } from '../lib/values'
import { Tabs } from '../rooms/faders/tabs'
import { readWork, withWork } from '../rooms/faders/saved'
import * as works from '../rooms/faders/works'
import { Answers } from './answers.svelte'

type Layered = Pick<works.Work, 'history' | 'snapshots'>
const WORK_TO_PIECE = 8 // how many times the size of a piece a file with work on it may have

export abstract class Desk extends Answers {
  earlier: works.Name[] = $state.raw([]) // pieces that were worked on, the newest first
  elsewhere = $state(false) // another tab works on this piece, too
  private data: ArrayBuffer | null = null // of an uploaded file
  unsaved = $state(false) // this browser did not store the newest work
  private opened = 0 // number of the newest piece to be opened
  private used = 0 // number of the newest model to be chosen
  private missed: works.Work | null = null // what another tab stored while a fader was dragged
  private isLasting = false // whether the browser was asked to keep what is stored
  private readonly tabs = new Tabs(
    () => this.piece?.id ?? null,
    (other) => (this.elsewhere = other),
    () => void this.readAgain(),
  )

  /** Connect to the server, and go on with the piece that this browser last worked on. */
  async start(): Promise<void> {
    this.connect()
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

  /** Edit with another model. */
  async use(model: string): Promise<void> {
    const number = ++this.used
    await this.guarded(async () => {
      let asked, found: PieceInfo | null
      do {
        asked = this.piece
        const id = asked?.id
        found = id === undefined ? null : await this.withUpload(() => api.piece(id, model))
        if (number !== this.used) return
      } while (this.piece?.id !== asked?.id) // another piece was opened meanwhile
      if (found) this.piece = found
      this.model = model
      localStorage.setItem('model', model)
      this.takes.close()
      this.steps = []
      this.waitNoMore()
      this.send(false)
    })
  }

  /** Open a piece, or work that was downloaded as JSON. */
  async openFile(file: File): Promise<void> {
    await this.guarded(async () => {
      const isWork = /\.json$/i.test(file.name)
      const most = (this.about?.most_bytes ?? 2 ** 21) * (isWork ? WORK_TO_PIECE : 1)
      if (file.size > most) throw new Error(`${file.name}: ${megabytes(file.size)}; at most ${megabytes(most)} are taken`)
      if (isWork) await this.openWork(file)
      else await this.load(null, file.name, await file.arrayBuffer())
    })
  }

  /** Go on with downloaded work. What this browser has of the piece is one step back. */
  private async openWork(file: File): Promise<void> {
    const text = await file.text()
    let saved
    try {
      saved = readWork(text)
    } catch (error) {
      throw new Error(`${file.name}: ${error instanceof Error ? error.message : String(error)}`)
    }
    const { model } = this
    if (this.models.includes(saved.model)) this.model = saved.model
    const over = (before?: Layered): Layered => ({
      history: history.write(before?.history ?? history.begin(layers.EMPTY), saved.layers),
      snapshots: saved.snapshots.reduce((all, one) => history.keep(all, one.name, one.state), before?.snapshots ?? []),
    })
    try {
      if (this.about?.pieces.some(({ id }) => id === saved.piece)) await this.load(saved.piece, '', null, over)
      else await this.load(null, saved.title, saved.file.buffer, over)
    } catch (error) {
      this.model = model // of what is still open
      throw error
    }
    localStorage.setItem('model', this.model)
  }

  /** A report as the file that `openFile` opens again: with the piece, some layers of it, and the snapshots. */
  async workFile(report: Blob, of: Layers): Promise<Blob> {
    const { piece, snapshots, model } = this
    const data = this.data ?? (await this.withUpload(() => api.source(piece!.id)))
    const saved = { piece: piece!.id, title: piece!.title, file: new Uint8Array(data), model, layers: of, snapshots }
    return new Blob([withWork(await report.text(), $state.snapshot(saved) as typeof saved)], { type: 'application/json' })
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

  protected get hasFile(): boolean {
    return this.data !== null
  }

  private async load(id: string | null, title = '', data: ArrayBuffer | null = null, changed?: (before?: Layered) => Layered): Promise<void> {
    const number = ++this.opened
    const before = id === null ? undefined : await works.workOn(id)
    const bytes = data ?? before?.data ?? null
    const uploaded = bytes && (await api.upload(before?.title ?? title, bytes))
    let piece = uploaded?.model === this.model ? uploaded : await api.piece(uploaded?.id ?? id!, this.model)
    const stored = before ?? (await works.workOn(piece.id))
    const work = changed ? { ...stored, ...changed(stored) } : stored
    while (number === this.opened && piece.model !== this.model) piece = await api.piece(piece.id, this.model) // another was chosen meanwhile
    if (number === this.opened) this.setPiece(piece, bytes, work)
  }

  private setPiece(piece: PieceInfo, data: ArrayBuffer | null, work?: Layered): void {
    this.transport.pause()
    this.takes.close()
    this.piece = piece
    this.data = data
    this.take(work)
    this.answer = this.whole = null
    this.selection = null
    this.lane = null
    this.chosen = null
    this.muted = this.solo = this.picked = new Set()
    this.original = false
    this.transport.looping = false
    this.player.loop = null
    this.changeMusic()
    this.seek(0)
    this.notice = piece.warnings.join(' · ')
    this.tabs.opened()
    this.steps = []
    this.waitNoMore()
    this.send(false)
    this.remember()
  }

  /** Go on with stored work, or begin. */
  private take(work?: Layered): void {
    const read = (state: Layers) => layers.upgraded(state, this.piece!.means, (bar) => this.held(bar))
    this.draft = this.missed = null
    this.history = work ? history.mapped(work.history, read) : history.begin(layers.EMPTY)
    this.snapshots = (work?.snapshots ?? []).map((one) => ({ ...one, state: read(one.state) }))
  }

  /** Another tab has stored its work on this piece. */
  private async readAgain(): Promise<void> {
    const { piece } = this
    const work = piece && (await works.workOn(piece.id))
    if (!work || piece.id !== this.piece?.id) return
    if (this.draft) {
      this.missed = work
      return
    }
    const isSame = history.same(work.history, this.history)
    if (isSame && history.same(work.snapshots, this.snapshots)) return
    this.take(work)
    if (isSame) return
    this.takes.close()
    this.steps = []
    this.waitNoMore()
    this.send(false)
  }

  /** What another tab stored while a fader was dragged comes before what the drag makes. */
  protected catchUp(): void {
    const { missed } = this
    if (missed && missed.piece === this.piece?.id) this.take(missed)
    this.missed = null
  }

  /** The server answers again, and may no longer hold an uploaded piece. */
  protected async reconnected(): Promise<void> {
    await this.guarded(async () => {
      if (this.data && this.piece) await api.upload(this.piece.title, this.data)
      this.problem = ''
      if (!this.resting) this.send(this.draft !== null)
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

  protected remember(): void {
    const { piece, data, history, snapshots } = this
    if (!piece) return
    const work = { piece: piece.id, title: piece.title, data, history, snapshots }
    if (!this.isLasting && history.past.length) {
      this.isLasting = true
      void globalThis.navigator?.storage?.persist?.().catch(() => false) // or not: it is the browser's to say
    }
    works.keep($state.snapshot(work) as works.Work).then(
      (names) => {
        this.earlier = names
        this.unsaved = false
        this.tabs.stored(piece.id)
      },
      () => (this.unsaved = true),
    )
  }
}
