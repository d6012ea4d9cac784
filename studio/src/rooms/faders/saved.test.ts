import { describe, expect, it } from 'vitest'
import { REST } from './faders'
import { EMPTY, withFaders, withFrozen, type Layers } from './regions'
import { readWork, withWork, type Saved } from './saved'

const faders = { ...REST, values: { register: 60 }, moves: { rhythm: 0.2 }, perBar: { note: { 2: 1.5 } }, preset: { name: 'calm', amount: 1 } }
const moved = withFaders(EMPTY, null, { bars: [1, 4], lane: '1' }, faders).layers
const layers: Layers = {
  ...withFrozen(moved, { 2: { rows: [[1, 0, 480, 60, 80]], differs: true } }),
  keeps: [{ part: 'melody', bars: null }, { part: 'bass', bars: [2, 3] }],
  notes: ['1.1:C5'],
  lanes: ['2'],
}
const work: Saved = {
  piece: 'p1',
  title: 'a tune.mid',
  file: Uint8Array.from({ length: 20000 }, (_, i) => (i * 7) % 256),
  model: 'rewriter',
  layers,
  snapshots: [{ name: 'before', state: EMPTY }],
}

it('comes back as it was saved, beside the report', () => {
  const text = withWork('{"report": {"segments": []}}', work)
  expect(readWork(text)).toEqual(work)
  expect(JSON.parse(text).report).toEqual({ segments: [] })
})

describe('what was not saved here', () => {
  const changed = (change: (work: any) => void): string => {
    const read = JSON.parse(withWork('{}', work))
    change(read.work)
    return JSON.stringify(read)
  }

  it.each([
    ['MThd', 'no JSON file'],
    ['[1, 2]', 'no work is in it'],
    ['null', 'no work is in it'],
    ['{"report": {}}', 'no work is in it'],
    [changed((one) => (one.version = 2)), 'newer version'],
    [changed((one) => (one.file = '?')), 'the piece in it'],
    [changed((one) => delete one.layers), 'cannot be read'],
    [changed((one) => (one.layers.regions[0].faders.moves.rhythm = 'up')), 'cannot be read'],
    [changed((one) => (one.layers.regions[0].bars = [4, 1])), 'cannot be read'],
    [changed((one) => (one.layers.regions[0].bars = [])), 'cannot be read'],
    [changed((one) => (one.layers.keeps[0].part = 'all')), 'cannot be read'],
    [changed((one) => (one.layers.frozen.two = one.layers.frozen[2])), 'cannot be read'],
    [changed((one) => one.layers.frozen[2].rows[0].pop()), 'cannot be read'],
    [changed((one) => (one.snapshots[0].state.regions = {})), 'cannot be read'],
  ])('is refused: %.40s', (text, problem) => {
    expect(() => readWork(text)).toThrow(problem)
  })
})
