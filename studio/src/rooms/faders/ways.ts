// What a musician can do where a fader does not get where it is asked to go. Pure.
import type { Shown } from './faders'
import type { AttributeInfo, FaderReach } from '../../lib/types'
import { text } from '../../lib/values'

export interface Ways {
  why: string
  locks: string[] // kept parts that are in the way
  others: string[] // faders that go on in the same direction
}

/** Faders that go on where one has come to its end. */
const NEIGHBOURS: Record<string, string[]> = {
  rhythm_density: ['note_density', 'syncopation'],
  note_density: ['rhythm_density', 'articulation'],
  syncopation: ['rhythm_density'],
  pitch: ['key'],
  dynamics: ['note_density'],
  articulation: ['note_density'],
  tempo: ['rhythm_density'],
}

/** Ways on where a fader asks for more than its bars can have; null where it got what it asked for. */
export function waysOn(row: AttributeInfo, now: Shown, reach: FaderReach | null, range: [number, number]): Ways | null {
  const { asked, measured, source } = now
  if (typeof asked !== 'number' || typeof measured !== 'number') return null
  const up = typeof source !== 'number' || asked >= source
  const isShort = up ? measured < asked - row.near - 1e-6 : measured > asked + row.near + 1e-6
  const atEnd = up ? asked >= range[1] - 1e-9 : asked <= range[0] + 1e-9
  if (!isShort && !atEnd) return null
  const end = reach && (up ? reach.highest : reach.lowest)
  const why = reach ? (up ? reach.why_highest : reach.why_lowest) : ''
  const locks = /^a lock keeps (.*)$/.exec(why)?.[1]?.match(/melody|bass|harmony|rhythm|notes/g) ?? []
  const others = NEIGHBOURS[row.name] ?? []
  if (!isShort) return { why: 'the end of the fader', locks: [], others }
  const reached = typeof end === 'number' && (up ? end < asked - row.near : end > asked + row.near)
  const said = reached ? `${up ? 'no more' : 'no less'} than ${text(end)} here: ${why}` : `came to ${text(measured)}: no answer of the model gets nearer`
  return { why: said, locks: reached ? locks : [], others: locks.length && reached ? [] : others }
}
