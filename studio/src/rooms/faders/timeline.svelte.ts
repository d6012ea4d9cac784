// The one time axis of the room: the ruler, the strip of regions, the roll, the curve and the takes lie on it.
import { follow, resized, scroll, tick, whole, x, zoom, type Time } from './geometry'
import type { PieceInfo } from '../../lib/types'

const OPENING = 5 // pixels a sixteenth, at least, where a piece is opened

export class Timeline {
  time: Time = $state.raw({ width: 0, start: 0, perTick: 1 })
  following = true // the playhead stays in sight; not after a scroll, until the next play
  private piece = '' // id
  private end = 1
  private tpq = 480

  /** Begin with a piece, in the width that there is; a piece that lies on the axis already stays as it is. */
  open(piece: PieceInfo): void {
    if (piece.id === this.piece) return
    this.piece = piece.id
    this.following = true
    this.end = piece.bars.at(-1) ?? 1
    this.tpq = piece.tpq
    const all = whole(this.time.width, this.end)
    this.time = { ...all, perTick: Math.max(all.perTick, OPENING / (piece.tpq / 4)) }
  }

  resize(width: number): void {
    if (width === this.time.width || !width) return
    if (this.time.width) this.time = resized(this.time, width, this.end)
    else {
      const all = whole(width, this.end)
      this.time = { ...all, perTick: Math.max(all.perTick, OPENING / (this.tpq / 4)) }
    }
  }

  x(at: number): number {
    return x(this.time, at)
  }

  tick(at: number): number {
    return tick(this.time, at)
  }

  zoom(factor: number, at = this.time.width / 2): void {
    this.time = zoom(this.time, factor, at, this.end, this.tpq)
  }

  scroll(by: number): void {
    this.time = scroll(this.time, by, this.end)
  }

  /** Let a tick lie at the left edge, as a finger does. */
  begin(at: number): void {
    this.following = false
    this.time = scroll({ ...this.time, start: at }, 0, this.end)
  }

  follow(at: number): void {
    this.time = follow(this.time, at, this.end)
  }

  /** Let bars fill the axis, from one tick to another. */
  show(from: number, until: number): void {
    this.zoom(this.time.width / Math.max(until - from, 1) / this.time.perTick, 0)
    this.time = scroll({ ...this.time, start: from }, 0, this.end)
  }

  whole(): void {
    this.time = whole(this.time.width, this.end)
  }

  /** The wheel over any lane. */
  wheel(event: WheelEvent): void {
    event.preventDefault()
    if (event.ctrlKey || event.metaKey) {
      const box = (event.currentTarget as Element).getBoundingClientRect()
      this.zoom(Math.exp(-event.deltaY / 300), event.clientX - box.left)
    } else {
      this.following = false
      this.scroll(event.deltaX + event.deltaY)
    }
  }
}
