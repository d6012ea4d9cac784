// A take in words, made of what its notes measure against the source. Pure.
import { barAt, type Note } from '../../lib/score'
import type { Lane } from './lanes'
import type { Bars } from './regions'

const SAME = 0.9 // share of beats with the same pitch classes that is called the same chords
const MOSTLY = 0.6
const FEW = 0.04 // share of a lane's notes that is no change worth a word
const VALUES: [string, (at: number) => boolean][] = [
  // where in a quarter note (0..1) the notes begin that came or went, of most of them
  ['quarters', (at) => near(at, 0)],
  ['eighths', (at) => near(at, 0.5)],
  ['triplets', (at) => near(at, 1 / 3) || near(at, 2 / 3)],
  ['sixteenths', (at) => near(at, 0.25) || near(at, 0.75)],
]
const near = (a: number, b: number): boolean => Math.abs(a - b) < 0.04 || Math.abs(a - b) > 0.96

interface Place {
  bars: readonly number[]
  tpq: number
}

/** What a take does, in a few words, such as “more left hand eighths, same chords”. Notes have their lanes. */
export function wordsOf(source: readonly Note[], take: readonly Note[], lanes: readonly Lane[], piece: Place, bars: Bars | null): string {
  const inside = (n: Note) => {
    const bar = barAt(piece.bars, n.onset)
    return bars === null || (bar >= bars[0] && bar <= bars[1])
  }
  const [before, after] = [source.filter(inside), take.filter(inside)]
  const parts = lanes.flatMap((lane, i) => (lane.isPart && !lane.drum ? [changeOf(before, after, i, lane.name, piece)] : []))
  const said = parts.filter((one) => one !== null).sort((a, b) => b.size - a.size)
  const words = said.slice(0, 2).map((one) => one.text)
  if (!words.length) words.push(rewritten(before, after))
  words.push(chords(before, after, piece.tpq))
  return words.join(', ')
}

const onsets = (notes: readonly Note[], lane: number): Set<number> => new Set(notes.filter((n) => n.lane === lane).map((n) => n.onset))

function changeOf(before: readonly Note[], after: readonly Note[], lane: number, name: string, { tpq }: Place): { text: string; size: number } | null {
  const [was, is] = [onsets(before, lane), onsets(after, lane)]
  const by = is.size - was.size
  const who = lowered(name)
  if (Math.abs(by) > FEW * Math.max(was.size, 4)) {
    const [more, fewer] = by > 0 ? [is, was] : [was, is]
    const kind = valueOf([...more].filter((at) => !fewer.has(at)), tpq)
    return { text: `${by > 0 ? 'more' : 'fewer'} ${who.replace(' hand', '-hand')} ${kind}`, size: Math.abs(by) }
  }
  const voices = after.filter((n) => n.lane === lane).length / Math.max(is.size, 1) - before.filter((n) => n.lane === lane).length / Math.max(was.size, 1)
  if (Math.abs(voices) >= 0.15) return { text: `${voices > 0 ? 'fuller' : 'thinner'} ${who}`, size: Math.abs(voices) }
  const height = (notes: readonly Note[]) => {
    const own = notes.filter((n) => n.lane === lane)
    return own.length ? own.reduce((sum, n) => sum + n.pitch, 0) / own.length : NaN
  }
  const up = height(after) - height(before)
  if (Math.abs(up) >= 1) return { text: `${who} ${up > 0 ? 'higher' : 'lower'}`, size: Math.abs(up) / 4 }
  return null
}

/** A lane's name inside a sentence. */
const lowered = (name: string): string => (/^(left|right) hand$/i.test(name) ? name.toLowerCase() : name)

function valueOf(places: readonly number[], tpq: number): string {
  const counts = VALUES.map(([name, is]): [string, number] => [name, places.filter((at) => is((at % tpq) / tpq)).length])
  const [name, count] = counts.sort((a, b) => b[1] - a[1])[0]!
  return count > places.length / 2 ? name : 'notes'
}

function rewritten(before: readonly Note[], after: readonly Note[]): string {
  const key = (n: Note) => `${n.track}:${n.onset}:${n.pitch}`
  const left = new Set(before.map(key))
  const same = after.filter((n) => left.has(key(n))).length
  const share = same / Math.max(after.length, before.length, 1)
  return share > 0.97 ? 'as the source' : share > 0.7 ? 'close to the source' : 'the same busyness, other notes'
}

function chords(before: readonly Note[], after: readonly Note[], tpq: number): string {
  const classes = (notes: readonly Note[]) => {
    const found = new Map<number, Set<number>>()
    for (const note of notes) {
      for (let beat = Math.floor(note.onset / tpq); beat * tpq < note.end - tpq / 16; beat++) {
        const at = found.get(beat) ?? new Set()
        found.set(beat, at.add(note.pitch % 12))
      }
    }
    return found
  }
  const [was, is] = [classes(before), classes(after)]
  let [same, all] = [0, 0]
  for (const [beat, set] of was) {
    const other = is.get(beat) ?? new Set()
    const both = [...set].filter((one) => other.has(one)).length
    same += both / Math.max(new Set([...set, ...other]).size, 1)
    all++
  }
  const share = all ? same / all : 1
  return share >= SAME ? 'same chords' : share >= MOSTLY ? 'nearly the same chords' : 'other chords'
}
