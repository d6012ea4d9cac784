import { describe, expect, it } from 'vitest'
import { rightHand } from './hands'
import { audible, colourOf, lanesOf, lanesOfNotes, outer, partsOf } from './lanes'
import type { Note } from '../../lib/score'
import type { PieceInfo } from '../../lib/types'

const note = (onset: number, pitch: number, track = 0): Note => ({ onset, end: onset + 200, pitch, velocity: 80, track })

// What `split_hands` of the package says of notes made by chance, at 480 ticks a quarter note.
const PLACES = [
  [480, 47], [490, 75], [970, 41], [970, 44], [970, 54], [1090, 47], [1090, 51], [1090, 61], [1330, 41], [1330, 45], [1330, 59], [1340, 58],
  [1340, 62], [1340, 69], [1460, 72], [1700, 52], [1700, 54], [1700, 68], [1700, 74], [1940, 52], [1940, 78], [1940, 81], [1940, 82], [2420, 46],
  [2420, 53], [2420, 50], [2420, 60], [2420, 65], [2420, 69], [2420, 41], [2420, 51], [2420, 60], [2420, 71], [2540, 43], [2540, 51], [2780, 62],
  [2780, 80], [2790, 50], [2790, 53], [2790, 67], [2910, 52], [2910, 68], [2910, 71], [2920, 76], [2920, 77], [3160, 70], [3170, 58], [3170, 73],
  [3170, 80], [3170, 82], [3180, 44], [3180, 56], [3180, 66], [3180, 77], [3420, 61], [3420, 79], [3430, 49], [3670, 46], [3670, 52], [3670, 67],
  [3670, 78],
] as const
const HANDS = 'lrlllllrllrrrrrllrrlrrrlllrrrllrrlllrllrlrrrrrlrrrllrrlrlllrr'

it('hands are those of the package', () => {
  const found = rightHand(PLACES.map(([onset, pitch]) => note(onset, pitch)), 480)
  expect(found.map((right) => (right ? 'r' : 'l')).join('')).toBe(HANDS)
  expect(rightHand([], 480)).toEqual([])
})

const track = (number: number, name: string, more = {}) => ({ number, name, program: 0, drum: false, edited: true, ...more })
const piece = (...tracks: PieceInfo['tracks']) => ({ tracks, tpq: 480 })
const both = [note(0, 48), note(0, 72), note(480, 50), note(480, 74)]

describe('lanes', () => {
  it('are the hands of a piano on one track', () => {
    const lanes = lanesOf(piece(track(1, 'Piano')), both)
    expect(lanes.map((one) => [one.id, one.isPart, one.ask])).toEqual([
      ['1', false, { only: '1' }], ['1:right', true, { only: 'right' }], ['1:left', true, { only: 'left' }],
    ])
    expect([...lanesOfNotes(lanes, both, 480)]).toEqual([2, 1, 2, 1])
    expect(partsOf(lanes, lanes[0]!).map((one) => one.id)).toEqual(['1:right', '1:left'])
    expect(outer(lanes, both, 480)).toEqual({ melody: '1:right', bass: '1:left', named: false })
  })

  it('are the tracks where these are the hands, and of other instruments', () => {
    const two = [note(0, 72, 0), note(0, 48, 1)]
    expect(lanesOf(piece(track(1, ' '), track(2, 'Left')), two).map((one) => [one.id, one.name])).toEqual([['1', 'Track 1'], ['2', 'Left']])
    expect(lanesOf(piece(track(1, 'Strings', { program: 48 })), both)).toHaveLength(1)
    expect(lanesOf(piece(track(1, 'Piano')), [note(0, 72), note(480, 74)])).toHaveLength(1)
  })

  it('have colours that their notes have too', () => {
    const lanes = lanesOf(piece(track(1, 'Piano'), track(2, 'Lead', { program: 80 })), [...both, note(0, 60, 1)])
    expect(lanes.map((one) => one.colour)).toEqual([0, 0, 1, 2])
    expect([1, 2, 3, undefined].map((lane) => colourOf(lanes, { lane }))).toEqual([0, 1, 2, 0])
  })

  it('name the track of a hand where there are others', () => {
    const band = [...both, note(0, 60, 1), note(0, 36, 2)]
    const lanes = lanesOf(piece(track(1, 'Piano'), track(2, 'Lead', { program: 80 }), track(3, '', { drum: true, edited: false })), band)
    expect(lanes[1]!.ask).toEqual({ only: 'right', tracks: ['1'] })
    expect(lanes.at(-1)).toMatchObject({ name: 'Drums', drum: true, editable: false })
    expect([...lanesOfNotes(lanes, band, 480)].slice(-2)).toEqual([3, 4])
    expect(outer(lanes, band, 480)).toMatchObject({ melody: '2', named: true })
  })

  it('without notes are none', () => expect(lanesOf(piece(track(1, 'a'), track(2, 'b')), [note(0, 60, 1)]).map((one) => one.id)).toEqual(['2']))

  it('are muted and solo, a track with its hands', () => {
    const lanes = lanesOf(piece(track(1, 'Piano')), both)
    const heard = (muted: string[], solo: string[]) => audible(lanes, new Set(muted), new Set(solo)).slice(1)
    expect(heard([], [])).toEqual([true, true])
    expect(heard(['1:left'], [])).toEqual([true, false])
    expect(heard(['1'], [])).toEqual([false, false])
    expect(heard([], ['1:left'])).toEqual([false, true])
    expect(heard(['1:left'], ['1'])).toEqual([true, false])
  })
})
