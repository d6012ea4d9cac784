// Notes, tempo and the difference that an edit makes. Pure. Ticks are the piece's own, seconds those of playing at its tempo.
import type { Columns } from './types'

export interface Note {
  onset: number
  end: number
  pitch: number
  velocity: number
  track: number
  lane?: number // the part that it belongs to, of the piece's lanes
}

export type Change = 'kept' | 'changed' | 'new'

/** The notes of an edit and how each differs from the source; `gone` holds the removed notes of the source, `was` the
 * source of notes that were moved to another pitch. */
export interface Difference {
  notes: (Note & { change: Change; stays?: boolean })[] // stays: changed at its place and pitch
  gone: Note[]
  was: Note[]
}

/** What names a note: no two of a track begin at one tick and pitch. */
export const keyOf = (n: Note): string => `${n.track}:${n.onset}:${n.pitch}`

export function notesOf(columns: Columns): Note[] {
  return columns.onset.map((onset, i) => ({
    onset,
    end: columns.end[i] ?? onset,
    pitch: columns.pitch[i] ?? 0,
    velocity: columns.velocity[i] ?? 64,
    track: columns.track[i] ?? 0,
  }))
}

export const columnsOf = (notes: readonly Note[]): Columns => ({
  onset: notes.map((n) => n.onset),
  end: notes.map((n) => n.end),
  pitch: notes.map((n) => n.pitch),
  velocity: notes.map((n) => n.velocity),
  track: notes.map((n) => n.track),
})

const PLACE = 128 // pitches

/** Notes by track, and in each by a number, in their order. */
class Groups {
  private readonly tracks = new Map<number, Map<number, Note[]>>()

  constructor(
    notes: Iterable<Note>,
    private readonly by: (note: Note) => number,
  ) {
    for (const note of notes) {
      let track = this.tracks.get(note.track)
      if (!track) this.tracks.set(note.track, (track = new Map<number, Note[]>()))
      const at = track.get(by(note))
      if (at) at.push(note)
      else track.set(by(note), [note])
    }
  }

  of(note: Note): Note[] | undefined {
    return this.tracks.get(note.track)?.get(this.by(note))
  }

  *lists(): Generator<Note[]> {
    for (const track of this.tracks.values()) yield* track.values()
  }

  *notes(): Generator<Note> {
    for (const list of this.lists()) yield* list
  }
}

/** Which notes an edit kept, changed (another length, velocity or pitch at the same onset), added and removed. */
export function compare(before: Note[], after: Note[]): Difference {
  const left = new Groups(before, (n) => n.onset * PLACE + n.pitch)
  const notes: Difference['notes'] = after.map((note) => {
    const source = left.of(note)?.shift()
    if (!source) return { ...note, change: 'new' }
    const same = source.end === note.end && source.velocity === note.velocity
    return same ? { ...note, change: 'kept' } : { ...note, change: 'changed', stays: true }
  })
  // Unmatched notes with the same onset have moved to another pitch: they are matched from the lowest on, voice by voice.
  const free = new Groups(left.notes(), (n) => n.onset)
  for (const list of free.lists()) list.sort((a, b) => a.pitch - b.pitch)
  const was: Note[] = []
  const added = notes.filter((note) => note.change === 'new').sort((a, b) => a.pitch - b.pitch)
  for (const note of added) {
    const source = free.of(note)?.shift()
    if (!source) continue
    note.change = 'changed'
    was.push(source)
  }
  return { notes, gone: [...free.notes()], was }
}

/** Ticks to seconds and back, along tempo changes [tick, microseconds a quarter note]; the first at tick 0. */
export class Tempo {
  private readonly starts: number[] = []

  constructor(
    readonly changes: readonly (readonly number[])[],
    readonly tpq: number,
  ) {
    let at = 0
    changes.forEach((change, i) => {
      const before = changes[i - 1]
      if (before) at += ((change[0]! - before[0]!) * before[1]!) / (tpq * 1e6)
      this.starts.push(at)
    })
  }

  seconds(tick: number): number {
    const i = this.at((change) => change[0]! <= tick)
    const change = this.changes[i]!
    return this.starts[i]! + ((tick - change[0]!) * change[1]!) / (this.tpq * 1e6)
  }

  ticks(seconds: number): number {
    const i = this.at((_, start) => start <= seconds)
    const change = this.changes[i]!
    return change[0]! + ((seconds - this.starts[i]!) * this.tpq * 1e6) / change[1]!
  }

  private at(reached: (change: readonly number[], start: number) => boolean): number {
    let found = 0
    for (let i = 1; i < this.changes.length; i++) {
      if (!reached(this.changes[i]!, this.starts[i]!)) break
      found = i
    }
    return found
  }
}

/** The number of the bar that a tick lies in, from 1; `lines` are the bar lines, with the end of the last bar. */
export function barAt(lines: readonly number[], tick: number): number {
  let low = 1
  let high = Math.max(lines.length - 1, 1)
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if (lines[middle - 1]! <= tick) low = middle
    else high = middle - 1
  }
  return low
}

/** The length of a beat in ticks, as the package counts beats: a quarter, three units of a compound metre, else a unit. */
export function beatTicks(metre: readonly (readonly number[])[], tick: number, tpq: number): number {
  const [, numerator, denominator] = metre.findLast((one) => one[0]! <= tick) ?? metre[0] ?? [0, 4, 4]
  const unit = 4 / denominator!
  if (denominator! >= 8 && numerator! % 3 === 0) return 3 * unit * tpq
  return ((numerator! * unit) % 1 === 0 ? 1 : Math.min(unit, 1)) * tpq
}

/** The first index whose onset is at or after a tick; `notes` are sorted by onset. */
export function firstFrom(notes: readonly { onset: number }[], tick: number): number {
  let low = 0
  let high = notes.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (notes[middle]!.onset < tick) low = middle + 1
    else high = middle
  }
  return low
}

export const PITCHES = ['C', 'C♯', 'D', 'E♭', 'E', 'F', 'F♯', 'G', 'A♭', 'A', 'B♭', 'B']

/** A pitch as musicians write it: 60 is C4. */
export function nameOf(pitch: number): string {
  return `${PITCHES[((pitch % 12) + 12) % 12]}${Math.floor(pitch / 12) - 1}`
}
