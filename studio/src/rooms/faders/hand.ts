// Edits by hand: notes moved, drawn, taken out. Pure; the bars in which they lie are frozen with what they hold then.
import { heldOf, type Held } from './frozen'
import { barAt, keyOf, type Note } from '../../lib/score'
import { clamp } from '../../lib/values'

/** A change of one note; null takes it out. */
export type Change = (note: Note) => Note | null

export const SHORTEST = 1 / 16 // of a quarter note

export const transposed =
  (by: number): Change =>
  (note) => ({ ...note, pitch: clamp(note.pitch + by, 0, 127) })

export const shifted =
  (ticks: number, by = 0): Change =>
  (note) => {
    const onset = Math.max(0, note.onset + ticks)
    return { ...note, onset, end: onset + note.end - note.onset, pitch: clamp(note.pitch + by, 0, 127) }
  }

export const lengthened =
  (ticks: number, tpq: number): Change =>
  (note) => ({ ...note, end: Math.max(note.onset + Math.max(1, Math.round(SHORTEST * tpq)), note.end + ticks) })

export const louder =
  (by: number): Change =>
  (note) => ({ ...note, velocity: clamp(note.velocity + by, 1, 127) })

export const gone: Change = () => null

/** A sixteenth need not be a whole number of ticks; onsets and ends are. */
function inWholeTicks(note: Note): Note {
  const onset = Math.round(note.onset)
  return { ...note, onset, end: Math.max(onset + 1, Math.round(note.end)) }
}

/** What bars hold when some notes are changed by hand and others come. Returns the bars,
 * the keys of what was changed, and all notes. */
export function byHand(
  source: readonly Note[], shown: readonly Note[], lines: readonly number[], picked: ReadonlySet<string>, change: Change, added: readonly Note[] = [],
): { bars: Record<number, Held>; picked: string[]; notes: Note[] } {
  const touched = new Set<number>()
  const now: Note[] = []
  const keys: string[] = []
  const put = (given: Note, isNew: boolean) => {
    const note = isNew ? inWholeTicks(given) : given
    now.push(note)
    if (!isNew) return
    touched.add(barAt(lines, note.onset))
    keys.push(keyOf(note))
  }
  for (const note of shown) {
    if (!picked.has(keyOf(note))) put(note, false)
    else {
      touched.add(barAt(lines, note.onset))
      const next = change(note)
      if (next) put(next, true)
    }
  }
  for (const note of added) put(note, true)
  now.sort((a, b) => a.onset - b.onset || a.pitch - b.pitch)
  return { bars: Object.fromEntries([...touched].map((bar) => [bar, heldOf(source, now, lines, bar)])), picked: keys, notes: now }
}
