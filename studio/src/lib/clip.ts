// Some bars of the music as a MIDI file of their own, to be dragged into a DAW: notes, programs, pedal, tempo, metre. Pure.
import { beatTicks, type Note } from './score'

export interface Clip {
  notes: readonly Note[]
  channels: readonly number[] // of each track
  names: readonly string[] // of each track
  messages: readonly (readonly number[])[] // tick and bytes of programs, controllers, bends
  pedal: readonly (readonly number[])[] // tick, channel, value
  tempo: readonly (readonly number[])[] // tick, microseconds a quarter note
  metre: readonly (readonly number[])[] // tick, numerator, denominator
  tpq: number
}

type Event = [tick: number, order: number, bytes: number[]]
const PEDAL = 64 // the controller
const [META, NAME, TEMPO, METRE, END] = [0xff, 0x03, 0x51, 0x58, 0x2f]
const OFF = 0 // ends come before what begins at the same tick
const SET = 1
const ON = 2

function length(value: number): number[] {
  const found = [value & 127]
  for (let rest = value >>> 7; rest; rest >>>= 7) found.unshift((rest & 127) | 128)
  return found
}

const number = (value: number, bytes: number): number[] => Array.from({ length: bytes }, (_, i) => (value >>> (8 * (bytes - 1 - i))) & 255)
const meta = (type: number, data: readonly number[]): number[] => [META, type, ...length(data.length), ...data]

function track(events: Event[], end: number): number[] {
  const body: number[] = []
  let now = 0
  for (const [tick, , bytes] of [...events].sort((a, b) => a[0] - b[0] || a[1] - b[1])) {
    body.push(...length(tick - now), ...bytes)
    now = tick
  }
  body.push(...length(Math.max(0, end - now)), ...meta(END, []))
  return [...'MTrk'].map((c) => c.charCodeAt(0)).concat(number(body.length, 4), body)
}

/** What of some changes holds from a tick on: the last one before it, at the tick, and those up to the end. */
function within<T extends readonly number[]>(changes: readonly T[], from: number, until: number): T[] {
  const before = changes.filter((one) => one[0]! <= from).at(-1)
  return [...(before ? [before] : []), ...changes.filter((one) => one[0]! > from && one[0]! < until)]
}

/** The notes that begin from one tick up to another as a standard MIDI file; what holds before it is set at its begin. */
export function clipOf(clip: Clip, from: number, until: number): Uint8Array<ArrayBuffer> {
  const at = (tick: number) => Math.max(0, tick - from)
  const clocks = (tick: number) => Math.round((24 * beatTicks(clip.metre, tick, clip.tpq)) / clip.tpq) // of MIDI, a beat
  const first: Event[] = [
    ...within(clip.tempo, from, until).map(([tick, micros]): Event => [at(tick!), SET, meta(TEMPO, number(micros!, 3))]),
    ...within(clip.metre, from, until).map(([tick, count, unit]): Event => [at(tick!), SET, meta(METRE, [count!, Math.round(Math.log2(unit!)), clocks(tick!), 8])]),
  ]
  const chunks = [track(first, until - from)]
  const used = [...new Set(clip.notes.map((note) => note.track))].sort((a, b) => a - b)
  for (const index of used) {
    const channel = clip.channels[index] ?? 0
    const notes = clip.notes.filter((note) => note.track === index && note.onset >= from && note.onset < until)
    if (!notes.length) continue
    const events: Event[] = [[0, SET, meta(NAME, [...new TextEncoder().encode(clip.names[index] ?? '')])]]
    const own = clip.messages.filter(([, status]) => (status! & 15) === channel)
    const kinds = new Set(own.map(([, status, number]) => (status! >> 4 === 0xb ? `${status}:${number}` : String(status))))
    for (const kind of kinds) {
      const [status, which] = kind.split(':').map(Number)
      const alike = own.filter(([, s, n]) => s === status && (which === undefined || n === which))
      for (const [tick, ...bytes] of within(alike, from, until)) events.push([at(tick!), SET, bytes])
    }
    const pedal = within(clip.pedal.filter((one) => one[1] === channel), from, until)
    for (const [tick, , value] of pedal) events.push([at(tick!), SET, [0xb0 | channel, PEDAL, value!]])
    if (pedal.at(-1)?.[2]) events.push([until - from, SET, [0xb0 | channel, PEDAL, 0]])
    for (const { onset, end, pitch, velocity } of notes) {
      events.push([at(onset), ON, [0x90 | channel, pitch, velocity]], [at(Math.min(end, until)), OFF, [0x80 | channel, pitch, 64]])
    }
    chunks.push(track(events, until - from))
  }
  const header = [...'MThd'].map((c) => c.charCodeAt(0)).concat(number(6, 4), number(1, 2), number(chunks.length, 2), number(clip.tpq, 2))
  return Uint8Array.from([...header, ...chunks.flat()])
}

/** The first and the last bar in which an edit differs, from 1; null where it does not. lines: bar lines, with the end of the last. */
export function changedBars(ticks: readonly number[], lines: readonly number[]): [number, number] | null {
  if (!ticks.length) return null
  const bar = (tick: number) => Math.max(1, Math.min(lines.length - 1, lines.filter((line) => line <= tick).length))
  return [bar(Math.min(...ticks)), bar(Math.max(...ticks))]
}
