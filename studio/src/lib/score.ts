// Notes, tempo and the difference that an edit makes. Pure. Ticks are the piece's own, seconds those of playing at its tempo.
import type { Columns } from './types'

export interface Note {
  onset: number
  end: number
  pitch: number
  velocity: number
  track: number
}

export type Change = 'kept' | 'changed' | 'new'

/** The notes of an edit and how each differs from the source; `gone` holds the removed notes of the source, `was` the
 * source of notes that were moved to another pitch. */
export interface Difference {
  notes: (Note & { change: Change })[]
  gone: Note[]
  was: Note[]
}

export function notesOf(columns: Columns): Note[] {
  return columns.onset.map((onset, i) => ({
    onset,
    end: columns.end[i] ?? onset,
    pitch: columns.pitch[i] ?? 0,
    velocity: columns.velocity[i] ?? 64,
    track: columns.track[i] ?? 0,
  }))
}

const position = (n: Note) => `${n.track}:${n.onset}:${n.pitch}`
const time = (n: Note) => `${n.track}:${n.onset}`

function grouped(notes: readonly Note[], by: (note: Note) => string): Map<string, Note[]> {
  const found = new Map<string, Note[]>()
  for (const note of notes) {
    const at = found.get(by(note))
    if (at) at.push(note)
    else found.set(by(note), [note])
  }
  return found
}

/** Which notes an edit kept, changed (another length, velocity or pitch at the same onset), added and removed. */
export function compare(before: Note[], after: Note[]): Difference {
  const left = grouped(before, position)
  const notes: (Note & { change: Change })[] = after.map((note) => {
    const source = left.get(position(note))?.shift()
    if (!source) return { ...note, change: 'new' }
    const same = source.end === note.end && source.velocity === note.velocity
    return { ...note, change: same ? 'kept' : 'changed' }
  })
  // Unmatched notes with the same onset have moved to another pitch: they are matched from the lowest on, voice by voice.
  const free = grouped([...left.values()].flat(), time)
  for (const list of free.values()) list.sort((a, b) => a.pitch - b.pitch)
  const was: Note[] = []
  const added = notes.filter((note) => note.change === 'new').sort((a, b) => a.pitch - b.pitch)
  for (const note of added) {
    const source = free.get(time(note))?.shift()
    if (!source) continue
    note.change = 'changed'
    was.push(source)
  }
  return { notes, gone: [...free.values()].flat(), was }
}

/** Ticks to seconds and back, along tempo changes [tick, microseconds a quarter-beat]; the first at tick 0. */
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
  let bar = 1
  while (bar < lines.length - 1 && lines[bar]! <= tick) bar++
  return bar
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
