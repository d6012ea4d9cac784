// Geometry of the roll: ticks to pixels and back, pitches to rows. Pure.
import { clamp } from '../../lib/values'

export interface View {
  width: number // pixels
  height: number
  start: number // tick at the left edge
  perTick: number // pixels a tick
  low: number // lowest pitch shown
  high: number // highest
  top: number // pixels above the roll: the ruler
}

export const RULER = 24
export const NARROWEST = 0.5 // pixels a sixteenth
export const WIDEST = 60

export const x = (view: View, tick: number): number => (tick - view.start) * view.perTick

export const tick = (view: View, at: number): number => view.start + at / view.perTick

export const row = (view: View): number => (view.height - view.top) / (view.high - view.low + 1)

export const y = (view: View, pitch: number): number => view.top + (view.high - pitch) * row(view)

export const pitch = (view: View, at: number): number => view.high - Math.floor((at - view.top) / row(view))

/** A view of a whole piece. */
export function fit(width: number, height: number, end: number, pitches: readonly number[]): View {
  const low = pitches.length ? Math.min(...pitches) : 60
  const high = pitches.length ? Math.max(...pitches) : 72
  const spare = Math.max(0, 24 - (high - low))
  return {
    width,
    height,
    start: 0,
    perTick: width / Math.max(end, 1),
    low: Math.max(0, low - 2 - Math.floor(spare / 2)),
    high: Math.min(127, high + 2 + Math.ceil(spare / 2)),
    top: RULER,
  }
}

/** The view in another size; a view of the whole piece stays one. */
export function resized(view: View, width: number, height: number, end: number): View {
  const whole = width / Math.max(end, 1)
  const all = view.perTick <= (view.width / Math.max(end, 1)) * 1.001
  return scroll({ ...view, width, height, perTick: all ? whole : Math.max(view.perTick, whole) }, 0, end)
}

/** Zoom by a factor so that the tick under `at` pixels stays there. */
export function zoom(view: View, factor: number, at: number, end: number, tpq: number): View {
  const fixed = tick(view, at)
  const sixteenth = tpq / 4
  const least = Math.min(view.width / Math.max(end, 1), WIDEST / sixteenth)
  const perTick = clamp(view.perTick * factor, Math.max(least, NARROWEST / sixteenth / 50), WIDEST / sixteenth)
  return scroll({ ...view, perTick, start: fixed - at / perTick }, 0, end)
}

/** Scroll by pixels, not beyond the piece. */
export function scroll(view: View, by: number, end: number): View {
  const most = Math.max(0, end - view.width / view.perTick)
  return { ...view, start: clamp(view.start + by / view.perTick, 0, most) }
}

/** Keep a tick visible: where it leaves the view, the view jumps to it. */
export function follow(view: View, at: number, end: number): View {
  const left = x(view, at)
  if (left >= 0 && left <= view.width * 0.92) return view
  return scroll({ ...view, start: at - (view.width * 0.08) / view.perTick }, 0, end)
}
