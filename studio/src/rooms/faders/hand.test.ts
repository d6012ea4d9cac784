import { describe, expect, it } from 'vitest'
import { byHand, gone, lengthened, louder, shifted, transposed } from './hand'
import { message, plain } from './messages'
import type { Note } from '../../lib/score'

const note = (onset: number, pitch: number): Note => ({ onset, end: onset + 50, pitch, velocity: 80, track: 0 })
const lines = [0, 100, 200, 300]
const source = [note(0, 60), note(50, 62), note(150, 64)]
const hand = (keys: string[], change = gone, added: Note[] = []) => byHand(source, source, lines, new Set(keys), change, added)

describe('by hand', () => {
  it('notes change, and their bars hold it', () => {
    expect(hand(['0:50:62'], transposed(3))).toMatchObject({
      bars: { 1: { rows: [[1, 0, 50, 60, 80], [1, 50, 100, 65, 80]], differs: true } }, picked: ['0:50:65'],
    })
    expect(hand(['0:0:60'], louder(60)).bars[1]!.rows[0]).toEqual([1, 0, 50, 60, 127])
    expect(hand(['0:0:60'], lengthened(-200, 160)).bars[1]!.rows[0]).toEqual([1, 0, 10, 60, 80])
  })

  it('notes move to another bar, go and come', () => {
    expect(Object.entries(hand(['0:50:62'], shifted(100, -1)).bars).map(([bar, held]) => [bar, held.rows.length])).toEqual([['1', 1], ['2', 2]])
    expect(hand(['0:150:64'])).toMatchObject({ bars: { 2: { rows: [], differs: true } }, notes: [{ onset: 0 }, { onset: 50 }] })
    expect(hand([], gone, [note(250, 70)])).toMatchObject({ bars: { 3: { rows: [[1, 250, 300, 70, 80]], differs: true } }, picked: ['0:250:70'] })
    expect(Object.values(hand(['0:0:60'], shifted(2.5)).bars)[0]!.rows[0]).toEqual([1, 3, 53, 60, 80])
    expect(hand([], gone, [{ ...note(202.5, 70), end: 202.6 }]).bars[3]!.rows).toEqual([[1, 203, 204, 70, 80]])
    expect(lengthened(-200, 4)(note(50, 60))!.end).toBe(51)
    expect(shifted(-500)(note(50, 60))).toMatchObject({ onset: 0, end: 50 })
  })
})

describe('messages', () => {
  it('are in a musician’s words', () => {
    const said = 'rhythm-density: 4 of 4 segments cannot have what is asked while melody stays: asked 0.54 in the mean there, the nearest is 0.94'
    expect(plain(said)).toBe('rhythm density: 4 of 4 bars cannot have 0.54 while the melody stays; the nearest is 0.94')
    expect(plain('region 2 (bars 2–3): syncopation: segments that ended more than 1 from the asked value: 2 (bars 2, 3)')).toBe(
      'bars 2–3: syncopation: bars that did not get there: 2 (bars 2, 3)',
    )
    expect(plain('region 1 (bar 2): no bar is free: all are locked, or share four beats with one that is')).toBe('bar 2: all of these bars are frozen')
    const fuller = 'rhythm-density: asked for more onsets than there are steps (bars 5, 6), so 2 beats there are divided more finely'
    expect(plain(fuller)).toBe('rhythm density: no room left in bars 5, 6, so 2 beats there are cut finer')
    expect(plain('preset arousal=9: outside -3..3; clamped')).toBe('preset arousal=9: outside -3..3, and end there')
  })

  it('begin with those of the chosen region', () => {
    expect(message(['region 1 (a): x', 'region 2 (b): y'], ['y'])).toBe('y · a: x')
  })
})
