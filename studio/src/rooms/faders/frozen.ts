// Bars that stay as they are: what each holds, and where two versions of a piece differ. Pure; ticks are the piece's own.
import type { Note } from '../../lib/score'

export type Row = [track: number, onset: number, end: number, pitch: number, velocity: number] // tracks count from 1

/** What a frozen bar holds. */
export interface Held {
  rows: Row[]
  differs: boolean // from the source
}

const whole = (n: Note) => `${n.track}:${n.onset}:${n.end}:${n.pitch}:${n.velocity}`

/** The first tick of a bar and the one behind it; the first bar also has what comes before it, the last what comes behind. */
export function ticksOf(lines: readonly number[], bar: number): [number, number] {
  return [bar <= 1 ? 0 : lines[bar - 1]!, bar >= lines.length - 1 ? lines.at(-1)! * 2 : lines[bar]!]
}

/** What a bar of some notes holds. */
export function heldOf(source: readonly Note[], notes: readonly Note[], lines: readonly number[], bar: number): Held {
  const [from, until] = ticksOf(lines, bar)
  const inside = (n: Note) => n.onset >= from && n.onset < until
  const own = notes.filter(inside)
  return {
    rows: own.map((n) => [n.track + 1, n.onset, n.end, n.pitch, n.velocity]),
    differs: own.map(whole).sort().join() !== source.filter(inside).map(whole).sort().join(),
  }
}

/** The bars, by number, in which two versions of a piece differ. */
export function barsThatDiffer(a: readonly Note[], b: readonly Note[], lines: readonly number[]): number[] {
  const marks = new Map<string, number>()
  for (const note of a) marks.set(whole(note), (marks.get(whole(note)) ?? 0) + 1)
  const found = new Set<number>()
  const bar = (onset: number) => {
    let low = 1
    let high = lines.length - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if (lines[middle - 1]! <= onset) low = middle
      else high = middle - 1
    }
    return low
  }
  for (const note of b) {
    const same = marks.get(whole(note)) ?? 0
    if (same) marks.set(whole(note), same - 1)
    else found.add(bar(note.onset))
  }
  for (const note of a) {
    const lost = marks.get(whole(note)) ?? 0
    if (!lost) continue
    marks.set(whole(note), lost - 1)
    found.add(bar(note.onset))
  }
  return [...found].sort((x, y) => x - y)
}
