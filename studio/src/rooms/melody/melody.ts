// Melodies as states: 0..127 begin a note, 128 holds it, 129 rests; 32 sixteenths (two bars) a clip. Pure.
import type { Note } from '../../lib/score'

export const HOLD = 128
export const REST = 129
export const STEPS = 32
export const TICKS = 120 // of a sixteenth, 480 to a quarter note
export const MOST_CLIPS = 64

export const empty = (clips = 1): number[] => Array.from({ length: clips * STEPS }, () => REST)

export const flat = (clips: readonly (readonly number[])[]): number[] => clips.flat()

export function clipsOf(states: readonly number[]): number[][] {
  const found: number[][] = []
  for (let at = 0; at < states.length; at += STEPS) found.push(states.slice(at, at + STEPS))
  return found
}

/** The notes of a melody, in ticks. */
export function notesOf(states: readonly number[], velocity = 84): Note[] {
  const found: Note[] = []
  let open = false
  states.forEach((state, step) => {
    if (state < HOLD) {
      found.push({ onset: step * TICKS, end: (step + 1) * TICKS, pitch: state, velocity, track: 0 })
      open = true
    } else if (state === HOLD && open) found.at(-1)!.end = (step + 1) * TICKS
    else open = false
  })
  return found
}

/** Enter a note or a rest (null) of some sixteenths at a step, in place of what was there; the melody grows by whole
 * clips if necessary. Returns also the step of the next note. */
export function enter(states: readonly number[], at: number, pitch: number | null, length: number): { states: number[]; next: number } {
  const end = at + length
  const clips = Math.min(Math.max(Math.ceil(end / STEPS), states.length / STEPS), MOST_CLIPS)
  const next = [...states, ...empty(clips)].slice(0, clips * STEPS)
  for (let step = at; step < Math.min(end, next.length); step++) {
    next[step] = pitch === null ? REST : step === at ? pitch : HOLD
  }
  for (let step = end; step < next.length && next[step] === HOLD; step++) next[step] = REST // the end of the note that was replaced
  return { states: next, next: Math.min(end, next.length) }
}

/** Erase the note or rest that ends at a step. Returns also the step where it began. */
export function erase(states: readonly number[], at: number): { states: number[]; next: number } {
  if (at <= 0) return { states: [...states], next: 0 }
  let first = at - 1
  if (states[first] === HOLD) while (first > 0 && states[first] === HOLD) first--
  const next = [...states]
  for (let step = first; step < at; step++) next[step] = REST
  for (let step = at; step < next.length && next[step] === HOLD; step++) next[step] = REST
  return { states: next, next: first }
}

/** Cut whole clips of rests after the last note; at least one clip stays. */
export function trim(states: readonly number[]): number[] {
  let clips = Math.max(states.length / STEPS, 1)
  while (clips > 1 && states.slice((clips - 1) * STEPS, clips * STEPS).every((state) => state === REST)) clips--
  return states.slice(0, clips * STEPS)
}

export const onsets = (states: readonly number[]): number => states.filter((state) => state < HOLD).length

// The computer keyboard as a piano: white keys on the middle row, black ones above.
const KEYS = 'awsedftgyhujkolp;'

/** The pitch of a letter above the C of an octave; null for other keys. */
export function pitchOf(key: string, octave: number): number | null {
  const at = KEYS.indexOf(key.toLowerCase())
  return key.length === 1 && at >= 0 ? 12 * (octave + 1) + at : null
}
