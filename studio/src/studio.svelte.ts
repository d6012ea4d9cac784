// The state that the rooms share, and all that is done to a piece: faders, layers, notes, history.
import * as history from './lib/history'
import { Desk } from './studio/desk.svelte'
import type { Note } from './lib/score'
import { moved, REST, type Faders } from './rooms/faders/faders'
import { byHand, type Change } from './rooms/faders/hand'
import { Reach } from './rooms/faders/reach.svelte'
import * as layers from './rooms/faders/regions'
import type { Layers, Region } from './rooms/faders/regions'
import { Takes } from './rooms/faders/takes.svelte'
import { Timeline } from './rooms/faders/timeline.svelte'

export type Room = 'faders' | 'melody' | 'inspect'
const ONE_STEP = 1000 // milliseconds: presses of a key in quicker succession are one step of undo

export class Studio extends Desk {
  readonly reach = new Reach(this)
  readonly takes = new Takes(this)
  readonly timeline = new Timeline()
  private pressed = { fader: '', at: 0 } // the newest move by a key

  // --- faders of the chosen region

  /** A fader is being dragged, and the roll follows. */
  drag(faders: Faders): void {
    const next = this.withFaders({ ...faders, variation: null })
    this.takes.close()
    this.draft = next
    this.original = false
    this.send(true)
  }

  /** A fader was released, which is one step of the history. by: the fader that a key moved; further presses of the key
   * are the same step. */
  release(faders: Faders = this.now, by = ''): void {
    this.write(this.withFaders(faders), by)
  }

  private withFaders(faders: Faders): Layers {
    const { layers: next, id } = layers.withFaders(this.layers, this.region?.id ?? null, this.scope, faders)
    if (id !== null) this.chosen = id
    else if (!this.region && layers.isFull(this.layers)) this.say(`there are ${layers.MOST_REGIONS} regions, which is all that there can be: remove one first`)
    return next
  }

  set(name: string, value: number | string | null, dragging = false, by = ''): void {
    const next = moved(this.now, name, value, this.means.before[name] ?? null)
    if (dragging) this.drag(next)
    else this.release(next, by)
  }

  /** The chosen region's faders at rest. */
  reset(): void {
    this.release({ ...REST, seed: this.now.seed })
  }

  /** The layers that make what is shown: the source, a take that is heard, or the edit. */
  get shownLayers(): Layers {
    return this.original ? layers.EMPTY : this.editLayers
  }

  /** The same, without a look at the source. */
  get editLayers(): Layers {
    return this.takes.heard?.layers ?? this.layers
  }

  // --- layers

  /** Other layers, as one step of the history. */
  write(next: Layers, by = ''): void {
    this.draft = null
    this.catchUp()
    this.waitNoMore()
    const at = performance.now()
    const sameStep = by !== '' && by === this.pressed.fader && at - this.pressed.at < ONE_STEP
    const before = this.history
    this.history = sameStep ? history.amend(before, next) : history.write(before, next)
    this.pressed = { fader: this.history === before ? '' : by, at }
    this.takes.close()
    this.original = false
    this.send(false, sameStep && this.steps.length ? null : before)
    this.remember()
  }

  /** A fader that is dragged goes back to where it was. */
  letGo(): void {
    if (!this.draft) return
    this.draft = null
    this.catchUp()
    this.send(false)
  }

  /** A snapshot is taken back. */
  restore(state: Layers): void {
    this.write(state)
  }

  undo(): void {
    this.step(history.undo)
  }

  redo(): void {
    this.step(history.redo)
  }

  /** Take back the step that is being computed; where it is none, as when a piece was opened, compute no more. */
  cancel(): void {
    const before = this.steps.pop()
    if (!before) return this.stop()
    this.step(() => before, false)
  }

  /** Choose a region, and with it its bars and its lane. */
  choose(region: Region): void {
    this.chosen = region.id
    this.lane = region.lane
    this.select(region.bars)
  }

  /** Choose the whole piece. */
  chooseAll(): void {
    this.lane = null
    this.select(null)
  }

  snapshot(name: string): void {
    this.snapshots = history.keep(this.snapshots, name, this.history.now)
    this.remember()
  }

  removeSnapshot(name: string): void {
    this.snapshots = this.snapshots.filter((one) => one.name !== name)
    this.remember()
  }

  // --- bars and notes

  /** Freeze the chosen bars as they are now, or let them go. */
  toggleFrozen(): void {
    const bars = this.chosenBars
    if (this.isFrozen) return this.write(layers.withFrozen(this.layers, Object.fromEntries(bars.map((bar) => [bar, null]))))
    this.withNotes(() => this.write(layers.withFrozen(this.layers, Object.fromEntries(bars.map((bar) => [bar, this.held(bar, this.after)])))))
  }

  /** Keep a lane whatever faders do, or no longer. */
  toggleLane(lane: string): void {
    const { lanes } = this.layers
    this.write({ ...this.layers, lanes: lanes.includes(lane) ? lanes.filter((one) => one !== lane) : [...lanes, lane] })
  }

  pick(keys: Iterable<string>): void {
    this.picked = new Set(keys)
  }

  /** Change the picked notes by hand, or add one; their bars are frozen with it. by: what a key does, for one step of undo. */
  edit(change: Change, added: Note[] = [], by = ''): void {
    if (!this.piece || this.original || (!this.picked.size && !added.length)) return
    this.withNotes(() => {
      const { bars, picked, notes } = byHand(this.source, this.after, this.piece!.bars, added.length ? new Set() : this.picked, change, added)
      if (!picked.length && !Object.keys(bars).length) return // the notes that were picked are not there any more
      this.write(layers.withFrozen(this.layers, bars), by)
      this.pick(picked)
      this.expectNotes(notes)
    })
  }

  private step(to: (from: history.History<Layers>) => history.History<Layers>, isStep = true): void {
    const isDragged = this.draft !== null
    this.draft = null
    this.catchUp()
    const before = this.history
    const next = to(before)
    if (next === before && !isDragged) return
    if (this.takes.fits(next.now)) this.takes.index = null
    else this.takes.close()
    this.waitNoMore()
    this.original = false
    this.pressed.fader = ''
    this.history = next
    this.dropParts()
    this.send(false, isStep && next !== before ? before : null)
    this.remember()
  }
}
