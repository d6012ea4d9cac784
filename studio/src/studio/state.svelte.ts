// What the rooms see of a piece: its layers, what is chosen, and the newest answer with its notes.
import * as history from '../lib/history'
import { compare, keyOf, notesOf, type Difference, type Note } from '../lib/score'
import type { AboutResponse, EditResponse, PieceInfo, RegionValues, Value } from '../lib/types'
import { atRest, isMoved, REST, type Faders, type Means } from '../rooms/faders/faders'
import { heldOf, type Held } from '../rooms/faders/frozen'
import { audible, lanesOf, lanesOfNotes, outer, type Lane } from '../rooms/faders/lanes'
import { meansOver } from '../rooms/faders/means'
import { common, hold, unchanged, type Answer } from '../rooms/faders/parts'
import type { Reach } from '../rooms/faders/reach.svelte'
import * as layers from '../rooms/faders/regions'
import type { Bars, Layers, Region, Scope } from '../rooms/faders/regions'
import type { Takes } from '../rooms/faders/takes.svelte'

const HINT = 8000 // milliseconds

export abstract class State {
  about: AboutResponse | null = $state.raw(null)
  piece: PieceInfo | null = $state.raw(null)
  history: history.History<Layers> = $state.raw(history.begin(layers.EMPTY))
  draft: Layers | null = $state.raw(null) // while a fader is dragged
  snapshots: history.Snapshot<Layers>[] = $state.raw([])
  original = $state(false) // A/B: the source is heard and shown
  selection: Bars | null = $state.raw(null)
  lane: string | null = $state(null) // the one that faders move alone
  chosen: number | null = $state(null) // the region that was chosen among those of one scope
  muted: ReadonlySet<string> = $state.raw(new Set<string>())
  solo: ReadonlySet<string> = $state.raw(new Set<string>())
  picked: ReadonlySet<string> = $state.raw(new Set<string>()) // notes, by keyOf
  problem = $state('')
  notice = $state('') // what the newest answer says
  hint = $state('') // what was said of something else, for a while
  private hintTimer: ReturnType<typeof setTimeout> | undefined
  busy = $state(false)
  view: Bars = [1, 1] // the bars in sight
  protected answer: Answer | null = $state.raw(null) // the newest, which may be of some bars over the one before
  protected whole: Answer | null = null // the newest of the whole piece
  abstract readonly takes: Takes
  abstract readonly reach: Reach

  layers: Layers = $derived(this.draft ?? this.history.now)
  resting = $derived(layers.isResting(this.layers))
  edited: EditResponse | null = $derived.by(() => this.takes.heard?.edited ?? this.answer?.edited ?? null)
  scope: Scope = $derived({ bars: this.selection, lane: this.lane })
  region: Region | null = $derived.by(() => {
    const region = layers.regionOf(this.layers, this.chosen)
    return region && history.same(region.bars, this.selection) && region.lane === this.lane ? region : layers.regionAt(this.layers, this.scope)
  })
  now: Faders = $derived(this.region?.faders ?? REST)
  source: Note[] = $derived(this.piece ? notesOf(this.piece.notes) : [])
  lanes: Lane[] = $derived(this.piece ? lanesOf(this.piece, this.source) : [])
  context: layers.Context = $derived({ lines: this.piece?.bars ?? [], lanes: this.lanes, outer: outer(this.lanes, this.source, this.piece?.tpq ?? 480) })
  audible: boolean[] = $derived(audible(this.lanes, this.muted, this.solo))
  protected before: Note[] = $derived(this.inLanes(this.source))
  protected after: Note[] = $derived.by(() => this.takes.heard?.notes ?? this.answer?.notes ?? this.before)
  shown: Note[] = $derived(this.original ? this.before : this.after)
  difference: Difference | null = $derived.by(() => {
    const { piece, before, shown, answer } = this
    if (!piece) return null
    if (shown === before) return unchanged(before)
    return answer && shown === answer.notes ? answer.difference : compare(before, shown)
  })

  /** The models that edit segments. */
  get models(): string[] {
    return (this.about?.models ?? []).filter((one) => one.codec !== 'melody').map((one) => one.name)
  }

  model = $state(localStorage.getItem('model') ?? '') // one that the server offers, else its first

  /** Whether the model keeps parts and notes; the paper's rewrites whole segments. */
  get keepsParts(): boolean {
    return !this.about?.models.find((one) => one.name === this.model)?.codes
  }

  /** What the chosen region's bars measured before it, were asked, and measure; without a region, what they are now. */
  means: Means = $derived.by(() => {
    const { answer, region, own } = this
    const part = answer?.edited.part
    if (own?.means && region && part) {
      // Only the bars in sight are measured; what all measured before is known from earlier.
      const bars = common(part.bars as Bars, region.bars)
      const all = hold(part.bars as Bars, region.bars, this.bars)
      return { ...own.means, before: all ? own.means.before : this.beforeOf(region), preset: own.preset, of: all ? null : bars }
    }
    if (own?.means) return { ...own.means, preset: own.preset }
    const before = this.estimate()
    const measured = layers.isAll(this.scope) && answer && !region ? answer.edited.means.measured : before
    return { before, asked: {}, measured, preset: {} }
  })

  /** What the bars of the scope measure without a region of their own. */
  private estimate(): Record<string, Value> {
    const { answer, piece } = this
    const known = this.reach.values
    if (known) return known
    const now = answer && !layers.isAll(this.scope) ? answer.edited.segments.map(({ bar, measured }) => ({ bar, values: measured })) : (piece?.segments ?? [])
    // of a lane alone only the server knows, which answers at once
    return this.lane !== null ? {} : layers.isAll(this.scope) && piece ? piece.means : meansOver(now, this.selection)
  }

  /** What a region's bars measured before it, by the newest answer of the whole piece. */
  private beforeOf(region: Region): Record<string, Value> {
    const at = this.whole?.ids.indexOf(region.id) ?? -1
    const known = at < 0 ? null : this.whole?.edited.regions[at]?.means?.before
    if (known) return known
    const { piece } = this
    return this.reach.values ?? (layers.isAll(region) && piece ? piece.means : region.lane !== null ? {} : meansOver(piece?.segments ?? [], region.bars))
  }

  /** What the newest answer says of the chosen region. */
  get own(): RegionValues | null {
    const shown = this.takes.heard ?? this.answer
    const at = this.region && shown ? shown.ids.indexOf(this.region.id) : -1
    return at < 0 ? null : (shown!.edited.regions[at] ?? null)
  }

  /** Whether the chosen region asks for something that there are other answers to. */
  get canTake(): boolean {
    return this.region !== null && !this.region.bypass && !atRest(this.now) && !this.busy
  }

  isMoved(name: string): boolean {
    return isMoved(this.now, name)
  }

  /** The bars that are chosen: the selection, else all. */
  get chosenBars(): number[] {
    const [first, last] = this.selection ?? [1, this.bars]
    return Array.from({ length: last - first + 1 }, (_, i) => first + i)
  }

  get isFrozen(): boolean {
    return this.chosenBars.every((bar) => bar in this.layers.frozen)
  }

  get bars(): number {
    return (this.piece?.bars.length ?? 2) - 1
  }

  /** What a bar of some version of the piece holds. */
  held(bar: number, notes: readonly Note[] = this.source): Held {
    return heldOf(this.source, notes, this.piece!.bars, bar)
  }

  /** The picked notes of what is shown. */
  get pickedNotes(): Note[] {
    return this.picked.size ? this.shown.filter((note) => this.picked.has(keyOf(note))) : []
  }

  /** Notes that are not there any more are not picked. */
  protected pickNoOthers(): void {
    if (!this.picked.size) return
    const there = new Set(this.after.map(keyOf))
    const left = [...this.picked].filter((key) => there.has(key))
    if (left.length < this.picked.size) this.picked = new Set(left)
  }

  /** Notes, each with its lane. */
  inLanes(notes: Note[]): Note[] {
    const found = lanesOfNotes(this.lanes, notes, this.piece?.tpq ?? 480)
    notes.forEach((note, i) => (note.lane = found[i]))
    return notes
  }

  /** Say something that can be read for a while, whatever answers come. */
  say(hint: string): void {
    this.hint = hint
    clearTimeout(this.hintTimer)
    this.hintTimer = setTimeout(() => (this.hint = ''), HINT)
  }

  /** Run what may fail, and show the problem. */
  async guarded(act: () => Promise<void>): Promise<void> {
    try {
      this.problem = ''
      await act()
    } catch (error) {
      this.showError(error)
    }
  }

  protected showError(error: unknown): void {
    this.problem = error instanceof Error ? error.message : String(error)
    this.busy = false
  }
}
