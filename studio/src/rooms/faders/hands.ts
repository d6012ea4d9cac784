// The two hands of a piano on one track, by the package's rule (`editing/hands.py`): from chord to chord, each is cut where
// both hands have the least way to their notes. Pure.
import type { Note } from '../../lib/score'

const START = { left: 48, right: 72 } // MIDI pitch where a hand lies before its first note
const FOLLOWS = 0.3 // share of the way to its notes that a hand's place moves with each chord
const SPAN = 14 // semitones that a hand spans with ease
const STRETCH = 4 // cost of each semitone beyond the span; one of way costs 1
const CHORD = 1 / 16 // of a quarter note: onsets within it are one chord

/** Whether the right hand plays each of some notes, in their order. */
export function rightHand(notes: readonly Note[], tpq: number): boolean[] {
  const right = new Array<boolean>(notes.length).fill(false)
  const order = notes.map((_, i) => i).sort((a, b) => notes[a]!.onset - notes[b]!.onset || notes[a]!.pitch - notes[b]!.pitch)
  let [left, high] = [START.left, START.right]
  for (let from = 0; from < order.length; ) {
    let until = from + 1
    while (until < order.length && notes[order[until]!]!.onset - notes[order[until - 1]!]!.onset <= CHORD * tpq) until++
    const chord = order.slice(from, until).sort((a, b) => notes[a]!.pitch - notes[b]!.pitch)
    const pitches = chord.map((i) => notes[i]!.pitch)
    let [best, least] = [0, Infinity]
    for (let k = 0; k <= pitches.length; k++) {
      const cost = way(pitches.slice(0, k), left) + way(pitches.slice(k), high)
      if (cost < least) [best, least] = [k, cost]
    }
    chord.forEach((i, k) => (right[i] = k >= best))
    left = moved(left, pitches.slice(0, best))
    high = moved(high, pitches.slice(best))
    from = until
  }
  return right
}

const moved = (place: number, part: readonly number[]): number =>
  part.length ? place + FOLLOWS * (part.reduce((a, b) => a + b, 0) / part.length - place) : place

/** What it costs a hand to play these pitches, in ascending order. */
function way(pitches: readonly number[], place: number): number {
  if (!pitches.length) return 0
  const far = pitches.reduce((sum, pitch) => sum + Math.abs(pitch - place), 0)
  return far + STRETCH * Math.max(pitches.at(-1)! - pitches[0]! - SPAN, 0)
}
