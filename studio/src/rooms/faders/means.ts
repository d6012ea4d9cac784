// Means of what bars measure. Pure.
import type { Bars } from './regions'
import type { Value } from '../../lib/types'

export interface Measured {
  bar: number
  values: Record<string, Value>
}

/** The mean of each attribute over some bars, or all; of names, such as keys, the one that most bars have. */
export function meansOver(segments: readonly Measured[], bars: Bars | null): Record<string, Value> {
  const inside = bars ? segments.filter((one) => one.bar >= bars[0] && one.bar <= bars[1]) : segments
  // a segment of two short bars is counted by its first one
  const chosen = inside.length || !bars ? inside : segments.filter((one) => one.bar <= bars[0]).slice(-1)
  const found: Record<string, Value> = {}
  for (const name of Object.keys(chosen[0]?.values ?? {})) {
    const values = chosen.map((one) => one.values[name]).filter((value) => value !== null && value !== undefined)
    const numbers = values.filter((value) => typeof value === 'number')
    found[name] = numbers.length ? numbers.reduce((a, b) => a + b, 0) / numbers.length : commonest(values as string[])
  }
  return found
}

function commonest(names: readonly string[]): string | null {
  const counts = new Map<string, number>()
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1)
  return [...counts].sort((a, b) => b[1] - a[1])[0]?.[0] ?? null
}
