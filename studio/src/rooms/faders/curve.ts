// A curve drawn over bars: what a stroke of the pointer sets. Pure.
import type { Bars } from './regions'

export type At = [bar: number, value: number]

/** The values of the bars from one place of a stroke to the next, on a straight line: a quick pointer passes over bars
 * between two events. Bars outside the limits are left alone. */
export function stroke(from: At | null, to: At, [first, last]: Bars): Record<number, number> {
  const [bar, value] = from ?? to
  const found: Record<number, number> = {}
  const by = to[0] < bar ? -1 : 1
  for (let at = bar; at !== to[0] + by; at += by) {
    if (at < first || at > last) continue
    found[at] = at === to[0] ? to[1] : value + ((to[1] - value) * (at - bar)) / (to[0] - bar)
  }
  return found
}
