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

export type Room = 'faders' | 'melody' | 'inspect'
const ONE_STEP = 1000 // milliseconds: presses of a key in quicker succession are one step of undo

export class Studio extends Desk {
  readonly reach = new Reach(this)
  readonly takes = new Takes(this)
  private pressed = { fader: '', at: 0 } // the newest move by a key

  // --- faders of the chosen region

  /** A fader is being dragged, and the roll follows. */
  drag(faders: Faders): void {
    const { layers: next, id } = layers.withFaders(this.layers, this.region?.id ?? null, this.scope, { ...faders, variation: null })
    if (id !== null) this.chosen = id
    this.takes.close()
    this.draft = next
    this.original = false
    this.send(true)
  }

  /** A fader was released, which is one step of the history. by: the fader that a key moved; further presses of the key
   * are the same step. */
  release(faders: Faders = this.now, by = ''): void {
    const { layers: next, id } = layers.withFaders(this.layers, this.region?.id ?? null, this.scope, faders)
    if (id !== null) this.chosen = id
    this.write(next, by)
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

  // --- layers

  /** Other layers, as one step of the history. */
  write(next: Layers, by = ''): void {
    this.draft = null
    const at = performance.now()
    const sameStep = by !== '' && by === this.pressed.fader && at - this.pressed.at < ONE_STEP
    const before = this.history
    this.history = sameStep ? history.amend(before, next) : history.write(before, next)
    this.pressed = { fader: this.history === before ? '' : by, at }
    this.takes.close()
    this.original = false
    this.send(false)
    this.remember()
  }

  /** A snapshot is taken back. */
  restore(state: Layers): void {
    this.write(state)
  }

  undo(): void {
    this.step(history.undo(this.history))
  }

  redo(): void {
    this.step(history.redo(this.history))
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
    const free = this.isFrozen
    this.write(layers.withFrozen(this.layers, Object.fromEntries(this.chosenBars.map((bar) => [bar, free ? null : this.held(bar, this.after)]))))
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
    const { bars, picked, notes } = byHand(this.source, this.shown, this.piece.bars, added.length ? new Set() : this.picked, change, added)
    this.write(layers.withFrozen(this.layers, bars), by)
    this.pick(picked)
    this.expectNotes(notes)
  }

  private step(next: history.History<Layers>): void {
    this.draft = null
    this.takes.close()
    if (next === this.history) return
    this.original = false
    this.pressed.fader = ''
    this.history = next
    this.dropParts()
    this.send(false)
    this.remember()
  }
}
