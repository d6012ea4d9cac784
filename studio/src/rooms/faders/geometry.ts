// Geometry of the time axis and the roll: ticks to pixels and back, pitches to rows. Pure.
import { clamp } from '../../lib/values'

/** The time axis, which all lanes of the page share. */
export interface Time {
  width: number // pixels
  start: number // tick at the left edge
  perTick: number // pixels a tick
}

/** The axis with pitches: the roll. */
export interface View extends Time {
  height: number
  low: number // lowest pitch shown
  high: number // highest
  top: number // pixels above the roll: the ruler
  bottom: number // and below it: the drums
}

export const RULER = 24
export const NARROWEST = 0.5 // pixels a sixteenth
export const WIDEST = 60

export const x = (view: Time, tick: number): number => (tick - view.start) * view.perTick

export const tick = (view: Time, at: number): number => view.start + at / view.perTick

export const row = (view: View): number => (view.height - view.top - view.bottom) / (view.high - view.low + 1)

export const y = (view: View, pitch: number): number => view.top + (view.high - pitch) * row(view)

export const pitch = (view: View, at: number): number => view.high - Math.floor((at - view.top) / row(view))

/** The time axis of a whole piece. */
export const whole = (width: number, end: number): Time => ({ width, start: 0, perTick: width / Math.max(end, 1) })

/** The pitches that a roll shows of some: at least two octaves of the keyboard. */
export function range(pitches: readonly number[]): { low: number; high: number } {
  let [low, high] = pitches.length ? [127, 0] : [60, 72]
  for (const pitch of pitches) [low, high] = [Math.min(low, pitch), Math.max(high, pitch)]
  const spare = Math.max(0, 24 - (high - low))
  return { low: Math.max(0, low - 2 - Math.floor(spare / 2)), high: Math.min(127, high + 2 + Math.ceil(spare / 2)) }
}

/** The length of a bar of the middle length, in ticks: an upbeat alone does not say how far bars are apart. */
export function middleBar(lines: readonly number[]): number {
  const lengths = lines.slice(1).map((line, i) => line - lines[i]!).sort((a, b) => a - b)
  return lengths[lengths.length >> 1] ?? 1
}

/** The beats inside a bar, as ticks. A first bar that is shorter than the second is an upbeat, counted from its end. */
export function beatsOf(lines: readonly number[], bar: number, beat: number): number[] {
  const [from, until] = [lines[bar - 1]!, lines[bar]!]
  const isUpbeat = bar === 1 && lines.length > 2 && until - from < lines[2]! - until
  const first = isUpbeat ? until - Math.floor((until - from) / beat) * beat : from + beat
  const found: number[] = []
  for (let at = first; at < until; at += beat) if (at > from) found.push(at)
  return found
}

/** The axis in another width; one of the whole piece stays one. */
export function resized<T extends Time>(time: T, width: number, end: number): T {
  const all = time.perTick <= (time.width / Math.max(end, 1)) * 1.001
  const least = width / Math.max(end, 1)
  return scroll({ ...time, width, perTick: all ? least : Math.max(time.perTick, least) }, 0, end)
}

/** Zoom by a factor so that the tick under `at` pixels stays there. */
export function zoom<T extends Time>(time: T, factor: number, at: number, end: number, tpq: number): T {
  const fixed = tick(time, at)
  const sixteenth = tpq / 4
  const least = Math.min(time.width / Math.max(end, 1), WIDEST / sixteenth)
  const perTick = clamp(time.perTick * factor, Math.max(least, NARROWEST / sixteenth / 50), WIDEST / sixteenth)
  return scroll({ ...time, perTick, start: fixed - at / perTick }, 0, end)
}

/** Scroll by pixels, not beyond the piece. */
export function scroll<T extends Time>(time: T, by: number, end: number): T {
  const most = Math.max(0, end - time.width / time.perTick)
  return { ...time, start: clamp(time.start + by / time.perTick, 0, most) }
}

/** Keep a tick visible: where it leaves the axis, the axis jumps to it. */
export function follow<T extends Time>(time: T, at: number, end: number): T {
  const left = x(time, at)
  if (left >= 0 && left <= time.width * 0.92) return time
  return scroll({ ...time, start: at - (time.width * 0.08) / time.perTick }, 0, end)
}
