import { describe, expect, it } from 'vitest'
import { atRest, grouped, moved, REST, requestOf, shown, span, spoken, step, toggledAbsolute, type Means } from './faders'
import type { AttributeInfo } from '../../lib/types'

const row = (name: string, more: Partial<AttributeInfo> = {}): AttributeInfo => ({
  name, option: name.replace('_', '-'), unit: '', low: 0, high: 1, near: 0.1, grain: 0, names: [], coded: true, ...more,
})
const before = { rhythm_density: 0.5, note_density: 2, key: 'C major', tempo: 100 }
const none: Means = { before, asked: {}, measured: before, preset: {} }

describe('a move', () => {
  it('changes each bar’s own value, unless all are to be alike or it is a name', () => {
    expect(moved(REST, 'rhythm_density', 0.75, 0.5)).toMatchObject({ moves: { rhythm_density: 0.25 }, values: {} })
    expect(moved(REST, 'key', 'D minor', 'C major').values).toEqual({ key: 'D minor' })
    expect(moved(REST, 'pitch', 60, null).values).toEqual({ pitch: 60 })
    expect(moved({ ...REST, values: { tempo: 90 } }, 'tempo', 120, 100).values).toEqual({ tempo: 120 })
  })

  it('goes back to rest', () => {
    const faders = { ...REST, values: { tempo: 90 }, moves: { pitch: 2 }, variation: { index: 1, count: 4 } }
    expect(moved(faders, 'tempo', null, 100)).toMatchObject({ values: {}, moves: { pitch: 2 }, variation: null })
    expect(moved(faders, 'pitch', null, 60).moves).toEqual({})
  })

  it('becomes one value for all bars, and a change of each again', () => {
    const all = toggledAbsolute({ ...REST, moves: { tempo: 20 } }, 'tempo', 100)
    expect(all).toMatchObject({ values: { tempo: 120 }, moves: {} })
    expect(toggledAbsolute(all, 'tempo', 100)).toMatchObject({ values: {}, moves: { tempo: 20 } })
  })
})

describe('what is asked', () => {
  it('asks for nothing where a fader is where the bars are', () => {
    expect(requestOf({ ...REST, moves: { tempo: 0 } })).toMatchObject({ move: {}, set: {} })
  })

  it('a preset leaves alone what is held or was moved by hand', () => {
    const faders = { ...REST, moves: { rhythm_density: 0.25 }, values: { key: 'D minor' }, preset: { name: 'arousal', amount: 1 }, hold: ['pitch'] }
    expect(requestOf(faders)).toMatchObject({ move: { rhythm_density: 0.25 }, preset: { hold: ['pitch', 'key', 'rhythm_density'] } })
    expect(requestOf({ ...REST, preset: { name: 'arousal', amount: 0 } }).preset).toBeNull()
  })

  it('a curve gives way to a value for all bars', () => {
    const faders = { ...REST, values: { tempo: 120 }, perBar: { tempo: { 1: 90 }, rhythm_density: { 2: 0.3 } } }
    expect(requestOf(faders).per_bar).toEqual({ rhythm_density: { 2: 0.3 } })
  })

  it('knows rest', () => {
    expect(atRest(REST)).toBe(true)
    expect(atRest({ ...REST, faithfulness: 0, seed: 3 })).toBe(true)
    expect(atRest({ ...REST, moves: { tempo: 1 } })).toBe(false)
    expect(atRest({ ...REST, perBar: { tempo: { 1: 90 } } })).toBe(false)
    expect(atRest({ ...REST, preset: { name: 'a', amount: 0 } })).toBe(true)
  })
})

describe('what a fader shows', () => {
  const means: Means = { before, asked: { tempo: 120, rhythm_density: 0.5 }, measured: { tempo: 119, rhythm_density: 0.51 }, preset: { tempo: 'x1.2' } }

  it('asked, measured, and what the preset implies', () => {
    expect(shown(row('tempo'), REST, means)).toEqual({ source: 100, asked: 120, measured: 119, byPreset: true })
    expect(shown(row('rhythm_density'), REST, means)).toMatchObject({ asked: null, measured: 0.51, byPreset: false })
    expect(shown(row('tempo'), { ...REST, moves: { tempo: -10 } }, means)).toMatchObject({ asked: 90, byPreset: false })
    expect(shown(row('tempo'), REST, none)).toEqual({ source: 100, asked: null, measured: 100, byPreset: false })
  })

  it('says it in words', () => {
    expect(spoken('tempo', shown(row('tempo'), REST, means))).toBe('tempo: asked 120 by the preset, measured 119, the piece has 100')
    expect(spoken('tempo', shown(row('tempo'), REST, none))).toContain('at rest')
  })

  it('has a range that holds the piece’s own value', () => {
    expect(span(row('tempo', { low: 20, high: 300 }), 250)).toEqual([30, 250])
    expect(span(row('rhythm_density'), 0.5)).toEqual([0, 1])
    expect(span(row('mine', { low: -2, high: 2 }), null)).toEqual([-2, 2])
    expect(step(row('rhythm_density'))).toBeCloseTo(0.01)
  })

  it('stands in a group, those of plugins last', () => {
    const rows = ['tempo', 'mine', 'key'].map((name) => row(name))
    expect(grouped(rows).map(([title, list]) => [title, list.map((one) => one.name)])).toEqual([
      ['Harmony', ['key']], ['Performance', ['tempo']], ['More', ['mine']],
    ])
  })
})
