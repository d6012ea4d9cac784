import { describe, expect, it } from 'vitest'
import { meansOver } from './means'
import { placesOf } from './notes'
import { waysOn } from './ways'
import { wordsOf } from './words'
import type { Note } from '../../lib/score'
import type { Lane } from './lanes'
import type { AttributeInfo, FaderReach } from '../../lib/types'

const note = (onset: number, pitch: number, lane = 0, long = 480): Note => ({ onset, end: onset + long, pitch, velocity: 80, track: lane, lane })
const lanes = [{ name: 'Right hand', isPart: true }, { name: 'Left hand', isPart: true }] as Lane[]
const place = { bars: [0, 1920, 3840], tpq: 480 }
const quarters = [0, 480, 960, 1440]
const source = quarters.flatMap((at) => [note(at, 72), note(at, 48, 1)])

describe('a take in words', () => {
  it('says whose notes are more or fewer, of which value, and whether the chords stay', () => {
    const busier = [...source.map((n) => (n.lane ? { ...n, end: n.onset + 240 } : n)), ...quarters.map((at) => note(at + 240, 48, 1, 240))]
    expect(wordsOf(source, busier, lanes, place, null)).toBe('more left-hand eighths, same chords')
    const sparse = source.filter((n) => n.lane === 1 || n.onset % 960 === 0)
    expect(wordsOf(source, sparse, lanes, place, null)).toBe('fewer right-hand quarters, same chords')
    const other = source.map((n) => (n.lane ? n : { ...n, pitch: n.pitch + 2 }))
    expect(wordsOf(source, other, lanes, place, null)).toBe('right hand higher, other chords')
    const fuller = [...source, ...quarters.map((at) => note(at, 60, 1))]
    expect(wordsOf(source, fuller, lanes, place, null)).toBe('fuller left hand, same chords')
  })

  it('speaks of the region’s bars alone', () => {
    const later = [...source, note(1920, 72)]
    expect(wordsOf(source, later, lanes, place, [1, 1])).toBe('as the source, same chords')
    expect(wordsOf(source, later, lanes, place, [2, 2])).toBe('more right-hand quarters, same chords')
  })
})

it('means of bars: numbers, and the key that most have', () => {
  const segments = [
    { bar: 1, values: { tempo: 100, key: 'C major', pitch: null } },
    { bar: 2, values: { tempo: 110, key: 'D minor', pitch: 60 } },
    { bar: 3, values: { tempo: 120, key: 'D minor', pitch: 62 } },
  ]
  expect(meansOver(segments, null)).toEqual({ tempo: 110, key: 'D minor', pitch: 61 })
  expect(meansOver(segments, [1, 1])).toEqual({ tempo: 100, key: 'C major', pitch: null })
  expect(meansOver(segments, [4, 5])).toEqual({ tempo: 120, key: 'D minor', pitch: 62 }) // the second bar of a pair
  expect(meansOver([], null)).toEqual({})
})

it('notes are named by bar, beat and pitch, where the source has them', () => {
  const piece = { bars: [0, 1440, 2880], metre: [[0, 6, 8]] as [number, number, number][], tpq: 480 }
  const own = [note(0, 60), note(720, 62), note(1440, 64)]
  expect(placesOf([...own, note(240, 70)], own, piece)).toEqual({ places: ['1.1:60', '1.2:62', '2.1:64'], fresh: 1 })
})

describe('ways on', () => {
  const row = { name: 'rhythm_density', near: 0.06 } as AttributeInfo
  const reach = { highest: 0.5, lowest: 0.2, why_highest: 'a lock keeps the melody', why_lowest: 'nothing sounds' } as FaderReach
  const now = (asked: number, measured: number) => ({ source: 0.3, asked, measured, byPreset: false })

  it('are none where a fader got there', () => expect(waysOn(row, now(0.5, 0.5), reach, [0, 1])).toBeNull())

  it('name the lock that is in the way', () => {
    expect(waysOn(row, now(0.8, 0.5), reach, [0, 1])).toEqual({ why: 'no more than 0.50 here: a lock keeps the melody', locks: ['melody'], others: [] })
  })

  it('name another fader', () => {
    expect(waysOn(row, now(0.1, 0.2), reach, [0, 1])).toMatchObject({ why: 'no less than 0.20 here: nothing sounds', others: ['note_density', 'syncopation'] })
    expect(waysOn(row, now(1, 1), null, [0, 1])).toMatchObject({ why: 'the end of the fader' })
    expect(waysOn(row, now(0.45, 0.3), reach, [0, 1])).toMatchObject({ why: 'came to 0.30: no answer of the model gets nearer' })
  })
})
