// Answers that speak of some bars alone, laid over what is known of the others. Pure; notes are sorted by onset.
import { compare, firstFrom, type Difference, type Note } from '../../lib/score'
import type { Bars } from './regions'
import type { EditResponse, PieceInfo, SegmentValues } from '../../lib/types'

/** An answer with its notes, each in its lane, and the region that each of its rows speaks of. */
export interface Answer {
  edited: EditResponse
  ids: (number | null)[]
  notes: Note[]
  difference: Difference // from the source
}

export type Ticks = readonly [number, number] // the last one excluded

/** Notes with those of a part in place of what begins in its ticks. */
export function spliced<T extends { onset: number }>(all: readonly T[], part: readonly T[], [first, behind]: Ticks): T[] {
  return [...all.slice(0, firstFrom(all, first)), ...part, ...all.slice(firstFrom(all, behind))]
}

/** The notes that begin in some ticks. */
export const within = (notes: readonly Note[], [first, behind]: Ticks): Note[] => notes.slice(firstFrom(notes, first), firstFrom(notes, behind))

/** A difference from the source with that of a part in its ticks. */
export function differenceWith(all: Difference, source: readonly Note[], part: readonly Note[], ticks: Ticks): Difference {
  const own = compare(within(source, ticks), [...part])
  const outside = (n: Note) => n.onset < ticks[0] || n.onset >= ticks[1]
  return { notes: spliced(all.notes, own.notes, ticks), gone: [...all.gone.filter(outside), ...own.gone], was: [...all.was.filter(outside), ...own.was] }
}

/** Tempos with those of a part in its ticks; behind it the tempo is what it was. */
export function tempoWith(all: readonly (readonly number[])[], part: readonly (readonly number[])[], [first, behind]: Ticks): [number, number][] {
  const rows = (those: readonly (readonly number[])[]) => those.map((one): [number, number] => [one[0]!, one[1]!])
  const after = all.findLast((one) => one[0]! <= behind)
  const resumed: [number, number][] = after && part.length ? [[behind, after[1]!]] : []
  return [...rows(all.filter((one) => one[0]! < first)), ...rows(part), ...resumed, ...rows(all.filter((one) => one[0]! > behind))]
}

/** What bars measure, with those of a part in their places. */
export function segmentsWith(all: readonly SegmentValues[], part: readonly SegmentValues[]): SegmentValues[] {
  const found = new Map(all.map((one) => [one.index, one]))
  for (const one of part) found.set(one.index, one)
  return [...found.values()].sort((a, b) => a.index - b.index)
}

/** An answer of a part over what was known: an answer, or the source. notes: those of the part, in their lanes. Of bars
 * that are decided before the others nothing is measured yet: what is said of regions and bars stays. */
export function over(known: Answer | null, piece: PieceInfo, source: Note[], edited: EditResponse, ids: (number | null)[], notes: Note[]): Answer {
  const ticks = edited.part!.ticks as unknown as Ticks
  const base = known?.edited
  const difference = known?.difference ?? unchanged(source)
  const isDecided = edited.part!.is_decided
  return {
    ids: isDecided ? (known?.ids ?? []) : ids,
    notes: spliced(known?.notes ?? source, notes, ticks),
    difference: differenceWith(difference, source, notes, ticks),
    edited: {
      ...edited,
      tempo: tempoWith(base?.tempo ?? piece.tempo, edited.tempo, ticks),
      pedal: base?.pedal ?? piece.pedal,
      end: Math.max(base?.end ?? 0, piece.end),
      segments: segmentsWith(base?.segments ?? [], edited.segments),
      means: base?.means ?? { before: piece.means, asked: {}, measured: piece.means },
      ...(isDecided ? { regions: base?.regions ?? [], part: base?.part ?? null } : {}),
    },
  }
}

/** The difference of a piece from itself. */
export const unchanged = (source: readonly Note[]): Difference => ({ notes: source.map((note) => ({ ...note, change: 'kept' })), gone: [], was: [] })

/** The bars that both name; null: all. */
export function common(a: Bars, b: Bars | null): Bars | null {
  if (!b) return a
  return a[0] <= b[1] && b[0] <= a[1] ? [Math.max(a[0], b[0]), Math.min(a[1], b[1])] : null
}

/** Whether some bars hold all of others; null: of the piece. */
export const hold = (those: Bars, others: Bars | null, bars: number): boolean => those[0] <= (others?.[0] ?? 1) && those[1] >= (others?.[1] ?? bars)
