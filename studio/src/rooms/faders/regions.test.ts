import { describe, expect, it } from 'vitest'
import { REST } from './faders'
import {
  askOf, describedOf, EMPTY, isKept, isResting, keptBars, keptText, MOST_REGIONS, locksOf, nameOf, regionAt, requestsOf, shifted, toggledKeep, upgraded, withFaders, withFrozen,
  withoutRegion, withRegion, type Context, type Layers, type Scope,
} from './regions'
import type { Lane } from './lanes'

const lane = (id: string, track: number, more: Partial<Lane> = {}): Lane => ({
  id, name: id, colour: 0, track, hand: null, drum: false, editable: true, isPart: true, ask: { only: id }, ...more,
})
const lanes = [lane('1', 0), lane('2', 1)]
const hands = [
  lane('1', 0, { isPart: false }),
  lane('1:right', 0, { hand: 'right', ask: { only: 'right' } }),
  lane('1:left', 0, { hand: 'left', ask: { only: 'left' } }),
]
const context: Context = { lines: [0, 100, 200, 300], lanes, outer: { melody: '1', bass: '2', named: false } }
const ALL: Scope = { bars: null, lane: null }
const at = (first: number, last = first): Scope => ({ bars: [first, last], lane: null })
const faster = { ...REST, moves: { tempo: 10 } }
const add = (layers: Layers, scope: Scope, faders = faster) => withFaders(layers, null, scope, faders)

describe('regions', () => {
  it('are made by the first move, the whole piece under bars', () => {
    const first = add(EMPTY, at(2))
    expect(first.id).toBe(1)
    const second = add(first.layers, ALL)
    expect(second.layers.regions.map((one) => [one.id, one.bars])).toEqual([[2, null], [1, [2, 2]]])
    const third = add(second.layers, { bars: null, lane: '2' }).layers
    expect(third.regions.map((one) => one.id)).toEqual([2, 3, 1])
    expect(regionAt(third, at(2))?.id).toBe(1)
    expect(regionAt(third, at(3))).toBeNull()
  })

  it('change again, and go where they ask for nothing and have no name', () => {
    const { layers } = add(EMPTY, at(2))
    expect(withFaders(layers, 1, at(2), { ...REST, moves: { tempo: 5 } }).layers.regions[0]!.faders.moves).toEqual({ tempo: 5 })
    expect(withFaders(layers, 1, at(2), { ...REST, seed: 4 })).toEqual({ layers: EMPTY, id: null })
    const named = withRegion(layers, { ...layers.regions[0]!, name: 'x' })
    expect(withFaders(named, 1, at(2), REST).layers.regions).toHaveLength(1)
    expect(withoutRegion(named, 1)).toEqual(EMPTY)
  })

  it('are no more than the server takes', () => {
    let layers = EMPTY
    for (let bar = 1; bar <= MOST_REGIONS + 1; bar++) ({ layers } = add(layers, at(bar)))
    expect(layers.regions).toHaveLength(MOST_REGIONS)
    expect(add(layers, at(1))).toEqual({ layers, id: null })
    expect(withFaders(layers, 1, at(1), { ...REST, moves: { tempo: 1 } }).id).toBe(1)
  })

  it('change places', () => {
    const two = add(add(EMPTY, at(1)).layers, at(2)).layers
    expect(shifted(two, 2, -1).regions.map((one) => one.id)).toEqual([2, 1])
    expect(shifted(two, 2, 1)).toBe(two)
  })

  it('are called by their bars and lane', () => {
    expect([ALL, at(2), at(2, 3), { bars: [2, 3], lane: '2' } as Scope].map((one) => nameOf(one, lanes))).toEqual(['whole piece', 'bar 2', 'bars 2–3', 'bars 2–3, 2'])
    expect(nameOf({ ...ALL, name: 'end' }, lanes)).toBe('end')
  })

  it('rest where all are off or ask for nothing', () => {
    const { layers } = add(EMPTY, at(2))
    expect([isResting(EMPTY), isResting(layers)]).toEqual([true, false])
    expect(isResting(withRegion(layers, { ...layers.regions[0]!, bypass: true }))).toBe(true)
  })
})

describe('frozen bars', () => {
  const held = { rows: [[1, 100, 150, 60, 80] as [number, number, number, number, number]], differs: true }

  it('come last, over all regions', () => {
    const layers = withFrozen(add(EMPTY, at(1, 3)).layers, { 2: held })
    const { regions, ids } = requestsOf(layers, context)
    expect(ids).toEqual([1, null])
    expect(regions[1]).toMatchObject({ bars: [[2, 2]], notes: { add: held.rows, clear: [[100, 200]] } })
    expect(regions[0]).toMatchObject({ locked: [] }) // the other bars stay as they were found
    expect(isResting(withFrozen(EMPTY, { 2: held }))).toBe(false)
    expect(isResting(withFrozen(EMPTY, { 2: { rows: [], differs: false } }))).toBe(true)
  })

  it('are left alone by the next move, until they are free', () => {
    const layers = withFrozen(add(EMPTY, at(1, 3)).layers, { 2: held })
    const moved = withFaders(layers, 1, at(1, 3), { ...REST, moves: { tempo: 20 } }).layers
    expect(requestsOf(moved, context).regions[0]).toMatchObject({ locked: [2] })
    const free = withFrozen(moved, { 2: null })
    expect(requestsOf(free, context)).toMatchObject({ ids: [1], regions: [{ locked: [] }] })
  })

  it('are not sent where they hold the source and nothing touches them', () => {
    const layers = withFrozen(EMPTY, { 2: { rows: held.rows, differs: false } })
    expect(requestsOf(add(layers, at(1, 3)).layers, context).ids).toEqual([1])
    expect(requestsOf(withFrozen(add(EMPTY, at(1, 3)).layers, { 2: { ...held, differs: false } }), context).ids).toEqual([1, null])
    expect(requestsOf(withFrozen(add(EMPTY, at(1)).layers, { 2: { ...held, differs: false } }), context).ids).toEqual([1])
  })

  it('need no lock of their notes', () => {
    const layers = withFrozen({ ...EMPTY, notes: ['2.1:60', '3.1:60'] }, { 2: held })
    expect(layers.notes).toEqual(['3.1:60'])
  })
})

describe('what is kept', () => {
  it('holds in all bars or in some', () => {
    const some = toggledKeep(EMPTY, 'melody', [1, 2], 3)
    expect([isKept(some, 'melody', [1, 1], 3), isKept(some, 'melody', [2, 3], 3), isKept(some, 'melody', null, 3)]).toEqual([true, false, false])
    const all = toggledKeep(some, 'melody', null, 3)
    expect(all.keeps).toEqual([{ part: 'melody', bars: null }])
    expect(isKept(all, 'melody', [2, 3], 3)).toBe(true)
    expect(toggledKeep(all, 'melody', null, 3).keeps).toEqual([])
  })

  it('is let go in bars out of those in which it is kept, and grows together', () => {
    const all = toggledKeep(toggledKeep(EMPTY, 'bass', [2, 2], 9), 'melody', null, 9)
    const cut = toggledKeep(all, 'melody', [4, 5], 9)
    expect(cut.keeps).toEqual([{ part: 'bass', bars: [2, 2] }, { part: 'melody', bars: [1, 3] }, { part: 'melody', bars: [6, 9] }])
    expect(keptText(cut, 'melody')).toBe('bars 1–3, bars 6–9')
    const more = toggledKeep(cut, 'melody', [5, 7], 9)
    expect(more.keeps.slice(1)).toEqual([{ part: 'melody', bars: [1, 3] }, { part: 'melody', bars: [5, 9] }])
    expect(isKept(more, 'melody', [3, 5], 9)).toBe(false)
    expect(toggledKeep(more, 'melody', [4, 4], 9).keeps.slice(1)).toEqual([{ part: 'melody', bars: null }])
    expect([...keptBars(cut, 9, 'bass')]).toEqual([2])
    expect(keptBars(cut, 9).size).toBe(7)
  })

  it('is no lock of a lane in which it does not lie', () => {
    const layers = { ...EMPTY, keeps: [{ part: 'melody' as const, bars: [1, 2] as [number, number] }, { part: 'rhythm' as const, bars: null }], notes: ['1.1:60'] }
    expect(locksOf(layers, ALL, context)).toEqual(['melody:1-2', 'rhythm', '1.1:60'])
    expect(locksOf(layers, { bars: null, lane: '2' }, context)).toEqual(['rhythm', '1.1:60'])
    expect(locksOf(layers, { bars: null, lane: '2' }, { ...context, outer: { ...context.outer, named: true } })).toContain('melody:1-2')
  })

  it('leaves other lanes to be edited', () => {
    expect(askOf(EMPTY, ALL, lanes)).toEqual({})
    expect(askOf({ ...EMPTY, lanes: ['1'] }, ALL, lanes)).toEqual({ only: '2' })
    expect(askOf({ ...EMPTY, lanes: ['1'] }, ALL, [...lanes, lane('3', 2)])).toEqual({ tracks: ['2', '3'] })
    expect(askOf({ ...EMPTY, lanes: ['1', '2'] }, ALL, lanes)).toBeNull()
    expect(askOf({ ...EMPTY, lanes: ['1:right'] }, ALL, hands)).toEqual({ only: 'left' })
    expect(askOf({ ...EMPTY, lanes: ['1:right'] }, { bars: null, lane: '1' }, hands)).toEqual({ only: 'left' })
    expect(askOf({ ...EMPTY, lanes: ['1:right'] }, ALL, [...hands, lane('2', 1)])).toEqual({ tracks: ['2'] })
    const kept = { ...add(EMPTY, { bars: null, lane: '2' }).layers, lanes: ['2'] }
    expect(requestsOf(kept, context).regions[0]).toMatchObject({ bypass: true })
  })
})

describe('a description', () => {
  it('is of a region on those under it, or of one that is not there yet', () => {
    const { layers } = add(add(EMPTY, ALL).layers, at(2))
    expect(describedOf(layers, layers.regions[0]!, ALL, context)).toHaveLength(1)
    const asked = describedOf(layers, null, { bars: [3, 3], lane: '2' }, context)
    expect(asked).toHaveLength(3)
    expect(asked[2]).toMatchObject({ bars: [[3, 3]], only: '2', bypass: false })
  })
})

it('reads the work of earlier versions', () => {
  const old = {
    values: { tempo: 120, pitch: 60, key: 'D minor' }, absolute: ['pitch'], perBar: {}, preset: null, hold: ['key'], faithfulness: 0.5,
    bars: [2, 3] as [number, number], locked: [3], seed: 1, variation: null,
  }
  const layers = upgraded(old, { tempo: 100, pitch: 50 }, () => ({ rows: [], differs: false }))
  expect(layers.regions).toEqual([
    {
      id: 1, name: '', bypass: false, bars: [2, 3], lane: null, locked: [3],
      faders: { ...REST, values: { pitch: 60, key: 'D minor' }, moves: { tempo: 20 }, hold: ['key'], faithfulness: 0.5, seed: 1 },
    },
  ])
  expect(Object.keys(layers.frozen)).toEqual(['3'])
  expect(upgraded(layers, {}, () => ({ rows: [], differs: false }))).toBe(layers)
})
