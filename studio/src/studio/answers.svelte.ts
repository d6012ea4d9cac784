// Edits that follow each other: what is asked, what comes back of it, and how far the server is.
import * as api from '../lib/api'
import type { History } from '../lib/history'
import { columnsOf, compare, notesOf, type Note } from '../lib/score'
import type { EditProgress, EditRequest, EditResponse, PieceInfo } from '../lib/types'
import { message } from '../rooms/faders/messages'
import { over } from '../rooms/faders/parts'
import * as layers from '../rooms/faders/regions'
import type { Layers } from '../rooms/faders/regions'
import { Sound } from './sound.svelte'

const SHORT = 0.02 // share of a long answer that is shown before it is known

interface Sent {
  at: number // milliseconds
  ids: (number | null)[] // the region that each row of its answer speaks of
}

export abstract class Answers extends Sound {
  online = $state(true)
  progress: number | null = $state(null) // share of the newest edit that is done, where the server says it
  latency = 0 // milliseconds from the newest move to its answer
  newest = 0 // number of the newest request; Infinity while nothing is asked
  protected live: api.Live | null = null
  protected steps: History<Layers>[] = [] // what there was before each step that is not answered yet, the newest last
  private sent = new Map<number, Sent>() // requests that were not answered yet
  private isKnown = true // whether the notes that are shown are those that the layers make
  private waiting: (() => void)[] = [] // what is to be done with them

  /** The server answers again, and may no longer hold an uploaded piece. */
  protected abstract reconnected(): Promise<void>

  protected abstract readonly hasFile: boolean // whether the piece can be uploaded again

  protected connect(): void {
    this.live = new api.Live({
      onEdited: (edited) => this.receive(edited),
      onProgress: (progress) => this.tell(progress),
      onError: (error) => this.refused(error.seq ?? this.newest, error.error),
      onState: (state) => {
        if (state === 'open' && !this.online) void this.reconnected()
        this.online = state === 'open'
      },
    })
  }

  request(draft: boolean, of: Layers = this.layers): Omit<EditRequest, 'seq' | 'faders'> & { seq: number } {
    const piece = this.piece!
    const { regions } = layers.requestsOf(of, this.context)
    return { seq: 0, piece: piece.id, model: piece.model, regions: regions as EditRequest['regions'], draft, view: this.view }
  }

  /** The answer to the newest layers is known already: it is shown until it comes again. */
  expect(edited: EditResponse, ids: (number | null)[]): void {
    this.showWhole(edited, ids)
    this.known()
  }

  /** Show notes as if they had been answered. */
  protected expectNotes(notes: readonly Note[]): void {
    const known = this.answer
    this.showWhole({ ...(known?.edited ?? answerOf(this.piece!)), notes: columnsOf(notes), part: null }, known?.ids ?? [])
    this.known()
  }

  /** Do something with the notes that the layers make: at once where they are shown, else when they are answered, unless
   * something else is done first. */
  protected withNotes(act: () => void): void {
    if (this.isKnown) return act()
    if (!this.busy && !this.draft) this.send(false)
    this.waiting.push(act)
    this.say('waiting for the notes of the last move')
  }

  /** What waits for an answer is not done any more. */
  protected waitNoMore(): void {
    if (this.waiting.length) this.say('not done: something else came first')
    this.waiting = []
  }

  /** What is shown is what the layers make. */
  protected known(): void {
    this.isKnown = true
    this.pickNoOthers()
    const waiting = this.waiting
    this.waiting = []
    for (const act of waiting) this.withNotes(act)
  }

  /** Compute no more; what was known is shown. */
  protected stop(): void {
    this.live?.stop()
    this.newest = Infinity
    this.busy = false
    this.progress = null
    this.waiting = []
    this.dropParts()
    this.say('stopped: these are not the notes of the faders until something is moved')
  }

  /** Ask for the notes of the layers. before: the history before the step that the request is for. */
  protected send(draft: boolean, before: History<Layers> | null = null): void {
    if (!this.piece || !this.live) return
    if (draft) this.reach.stop()
    else this.reach.wait()
    this.progress = null
    this.isKnown = false
    if (before) this.steps.push(before)
    if (layers.isResting(this.layers)) {
      this.live.stop()
      this.newest = Infinity
      this.busy = false
      this.steps = []
      this.showNothing()
      this.known()
      return
    }
    const { ids } = layers.requestsOf(this.layers, this.context)
    this.newest = this.live.edit(this.request(draft))
    this.sent.set(this.newest, { at: performance.now(), ids })
    this.busy = !draft
  }

  private receive(edited: EditResponse): void {
    const asked = this.sent.get(edited.seq)
    if (this.newest === Infinity || edited.piece !== this.piece?.id || !asked) return
    const isFirstOfMore = edited.part && !edited.draft // the rest of a whole answer follows
    if (isFirstOfMore && edited.seq !== this.newest) return
    for (const seq of this.sent.keys()) if (seq < edited.seq || (seq === edited.seq && !isFirstOfMore)) this.sent.delete(seq)
    if (edited.seq === this.newest && !isFirstOfMore) {
      this.busy = false
      this.progress = null
    }
    this.latency = performance.now() - asked.at
    this.problem = ''
    if (edited.part) this.showPart(edited, asked.ids)
    else this.showWhole(edited, asked.ids)
    if (edited.seq === this.newest && !edited.draft && !edited.part) {
      this.steps = []
      this.known()
    }
    if (edited.part?.is_behind && this.draft && edited.seq === this.newest) this.send(true)
  }

  private tell({ seq, done, total }: EditProgress): void {
    if (seq === this.newest && this.busy) this.progress = Math.max(SHORT, total ? done / total : 0)
  }

  private refused(seq: number, error: string): void {
    this.sent.delete(seq)
    if (seq === this.newest) {
      this.busy = false
      this.progress = null
      this.steps = []
      this.waitNoMore()
    }
    if (error.includes('open its file again') && this.hasFile) {
      void this.reconnected()
      return
    }
    this.problem = error
  }

  private showWhole(edited: EditResponse, ids: (number | null)[]): void {
    const notes = this.inLanes(notesOf(edited.notes))
    this.whole = this.answer = { edited, ids, notes, difference: compare(this.before, notes) }
    this.shownNow(edited.warnings)
  }

  /** Bars over what is known: over the earlier ones of the same answer, else over the last whole answer. */
  private showPart(edited: EditResponse, ids: (number | null)[]): void {
    const known = this.answer?.edited.seq === edited.seq ? this.answer : this.whole
    this.answer = over(known, this.piece!, this.before, edited, ids, this.inLanes(notesOf(edited.notes)))
    this.shownNow([])
  }

  /** Bars of an answer that nobody waits for any more are not shown; the last whole answer is. */
  protected dropParts(): void {
    if (this.answer === this.whole) return
    this.answer = this.whole
    this.shownNow(this.whole?.edited.warnings ?? this.piece?.warnings ?? [])
  }

  protected showNothing(): void {
    this.whole = this.answer = null
    this.shownNow(this.piece?.warnings ?? [])
  }

  private shownNow(warnings: readonly string[]): void {
    this.changeMusic()
    this.notice = message(warnings, this.own?.warnings ?? [])
    if (this.looping) this.applyLoop()
  }
}

/** An answer that changes nothing. */
const answerOf = (piece: PieceInfo): EditResponse => ({
  seq: 0, piece: piece.id, draft: false, notes: piece.notes, tempo: piece.tempo, pedal: piece.pedal, end: piece.end, segments: [],
  means: { before: piece.means, asked: {}, measured: piece.means }, preset: {}, log_odds: null, warnings: [], regions: [], milliseconds: 0,
})
