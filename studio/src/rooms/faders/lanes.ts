// The lanes of a piece: its tracks, and the two hands of a piano on one of them. Pure.
import { rightHand } from './hands'
import type { Note } from '../../lib/score'
import type { PieceInfo } from '../../lib/types'

export interface Lane {
  id: string // of the track: its number from 1; of a hand of it: 3:left
  name: string
  colour: number // of COLOURS
  track: number // index from 0
  hand: 'left' | 'right' | null
  drum: boolean
  editable: boolean
  isPart: boolean // whether notes belong to it: a track of which the hands are lanes has none of its own
  ask: { only?: string; tracks?: string[] } // what a request says to edit this lane alone
}

export const COLOURS = 8 // --lane-0 and on, in style.css
const A_HAND = 0.1 // share of a track's notes that each hand must have, for the hands to be lanes
const TOGETHER = 0.08 // share of a track's onsets at which both hands must strike, for the hands to be lanes
const PIANOS = 7 // the last General MIDI program that is a piano

/** The lanes of a piece, from the first track on; the right hand comes before the left. */
export function lanesOf(piece: Pick<PieceInfo, 'tracks' | 'tpq'>, notes: readonly Note[]): Lane[] {
  const edited = piece.tracks.filter((track) => track.edited && !track.drum)
  const areHands = edited.length === 2 && edited.every((track) => track.program <= PIANOS)
  const lanes: Lane[] = []
  let colour = 0
  piece.tracks.forEach((track, index) => {
    const own = notes.filter((note) => note.track === index)
    if (!own.length) return
    const id = String(track.number)
    const name = track.name.trim() || (track.drum ? 'Drums' : `Track ${track.number}`)
    const hands = track.edited && !track.drum && track.program <= PIANOS && !areHands && bothHands(own, piece.tpq)
    lanes.push({
      id, name, colour: colour % COLOURS, track: index, hand: null, drum: track.drum, editable: track.edited && !track.drum,
      isPart: !hands, ask: { only: id },
    })
    if (!hands) colour++
    else {
      for (const hand of ['right', 'left'] as const) {
        const ask = edited.length === 1 ? { only: hand } : { only: hand, tracks: [id] }
        lanes.push({ id: `${id}:${hand}`, name: `${hand} hand`, colour: colour++ % COLOURS, track: index, hand, drum: false, editable: true, isPart: true, ask })
      }
    }
  })
  return lanes
}

/** Whether two hands play some notes: both have their share, and often play together. */
function bothHands(notes: readonly Note[], tpq: number): boolean {
  const right = rightHand(notes, tpq)
  const share = right.filter(Boolean).length / notes.length
  const places = [new Set<number>(), new Set<number>()] as const
  notes.forEach((note, i) => places[right[i] ? 1 : 0].add(note.onset))
  const together = [...places[0]].filter((at) => places[1].has(at)).length
  return share >= A_HAND && share <= 1 - A_HAND && together >= TOGETHER * new Set([...places[0], ...places[1]]).size
}

/** The index of the lane that each note belongs to, in the order of the notes; -1 for none. */
export function lanesOfNotes(lanes: readonly Lane[], notes: readonly Note[], tpq: number): Int16Array {
  const found = new Int16Array(notes.length).fill(-1)
  const whole = new Map<number, number>() // track -> its lane
  lanes.forEach((lane, i) => {
    if (lane.isPart && lane.hand === null) whole.set(lane.track, i)
  })
  notes.forEach((note, i) => (found[i] = whole.get(note.track) ?? -1))
  for (const split of lanes.filter((lane) => lane.hand === 'right')) {
    const at = notes.flatMap((note, i) => (note.track === split.track ? [i] : []))
    const right = rightHand(at.map((i) => notes[i]!), tpq)
    const [high, low] = (['right', 'left'] as const).map((hand) => lanes.findIndex((lane) => lane.track === split.track && lane.hand === hand))
    at.forEach((i, k) => (found[i] = right[k] ? high! : low!))
  }
  return found
}

/** The colour of a note that lies in a lane. */
export const colourOf = (lanes: readonly Lane[], note: Pick<Note, 'lane'>): number => lanes[note.lane ?? -1]?.colour ?? 0

/** The parts that a lane stands for: itself, or the hands of its track. */
export const partsOf = (lanes: readonly Lane[], lane: Lane): Lane[] =>
  lane.isPart ? [lane] : lanes.filter((one) => one.track === lane.track && one.isPart)

/** Whether each part is heard: where some are solo these alone, and never one that is muted. */
export function audible(lanes: readonly Lane[], muted: ReadonlySet<string>, solo: ReadonlySet<string>): boolean[] {
  const on = (set: ReadonlySet<string>, lane: Lane) => set.has(lane.id) || set.has(String(lane.track + 1))
  const alone = lanes.some((lane) => on(solo, lane))
  return lanes.map((lane) => {
    const chosen = on(solo, lane) || [...partsOf(lanes, lane)].some((part) => on(solo, part))
    return !on(muted, lane) && (!alone || chosen)
  })
}

const MELODY_NAMES = /melody|voice|vocal|sing|gesang|chant|canto|soprano|lead|tune/i

/** The parts that the melody and the bass lie in: the highest and the lowest, unless a track's name says melody. */
export function outer(lanes: readonly Lane[], notes: readonly Note[], tpq: number): { melody: string | null; bass: string | null; named: boolean } {
  const parts = lanes.filter((lane) => lane.isPart && lane.editable)
  const sums = new Map<number, [number, number]>()
  lanesOfNotes(lanes, notes, tpq).forEach((lane, i) => {
    const [sum, count] = sums.get(lane) ?? [0, 0]
    sums.set(lane, [sum + notes[i]!.pitch, count + 1])
  })
  const mean = (lane: Lane) => {
    const [sum, count] = sums.get(lanes.indexOf(lane)) ?? [0, 1]
    return sum / count
  }
  const byPitch = [...parts].sort((a, b) => mean(b) - mean(a))
  const named = parts.find((lane) => lane.hand === null && MELODY_NAMES.test(lane.name))
  return { melody: (named ?? byPitch[0])?.id ?? null, bass: byPitch.at(-1)?.id ?? null, named: named !== undefined }
}
