import { describe, expect, it } from 'vitest'
import { atRest, REST, requestOf, shown, span, spoken, step } from './faders'
import type { AttributeInfo, EditResponse, PieceInfo } from '../../lib/types'

const row = (name: string, more: Partial<AttributeInfo> = {}): AttributeInfo => ({
  name, option: name.replace('_', '-'), unit: '', low: 0, high: 1, near: 0.1, grain: 0, names: [], coded: true, ...more,
})
const means = { rhythm_density: 0.5, note_density: 2, key: 'C major', tempo: 100 }

describe('what is asked', () => {
  it('moves from the piece’s own level, unless every bar is to be alike', () => {
    const faders = { ...REST, values: { rhythm_density: 0.75, tempo: 120, key: 'D minor' }, absolute: ['tempo'] }
    expect(requestOf(faders, means)).toMatchObject({ move: { rhythm_density: 0.25 }, set: { tempo: 120, key: 'D minor' } })
  })

  it('asks for nothing where a fader is where the piece is', () => {
    expect(requestOf({ ...REST, values: { tempo: 100 } }, means)).toMatchObject({ move: {}, set: {} })
  })

  it('sends a preset with what is held, bars and locks', () => {
    const found = requestOf({ ...REST, preset: { name: 'arousal', amount: 1.5 }, hold: ['key'], bars: [2, 4], locked: [3] }, means)
    expect(found.preset).toEqual({ name: 'arousal', amount: 1.5, hold: ['key'] })
    expect(found.bars).toEqual([[2, 4]])
    expect(found.locked).toEqual([3])
    expect(requestOf({ ...REST, preset: { name: 'arousal', amount: 0 } }, means).preset).toBeNull()
  })

  it('a preset leaves alone what was moved by hand', () => {
    const faders = { ...REST, values: { rhythm_density: 0.75, tempo: 100 }, preset: { name: 'arousal', amount: 1 }, hold: ['key'] }
    expect(requestOf(faders, means)).toMatchObject({ move: { rhythm_density: 0.25 }, preset: { hold: ['key', 'rhythm_density', 'tempo'] } })
  })

  it('a curve gives way to a value for all bars', () => {
    const faders = { ...REST, values: { tempo: 120 }, absolute: ['tempo'], perBar: { tempo: { 1: 90 }, rhythm_density: { 2: 0.3 } } }
    expect(requestOf(faders, means).per_bar).toEqual({ rhythm_density: { 2: 0.3 } })
  })

  it('knows rest', () => {
    expect(atRest(REST)).toBe(true)
    expect(atRest({ ...REST, faithfulness: 0, locked: [1], bars: [1, 2] })).toBe(true)
    expect(atRest({ ...REST, values: { tempo: 1 } })).toBe(false)
    expect(atRest({ ...REST, perBar: { tempo: { 1: 90 } } })).toBe(false)
    expect(atRest({ ...REST, preset: { name: 'a', amount: 0 } })).toBe(true)
  })
})

describe('what a fader shows', () => {
  const piece = { means } as unknown as PieceInfo
  const edited = {
    preset: { tempo: 'x1.2' },
    means: { before: {}, asked: { tempo: 120, rhythm_density: 0.5 }, measured: { tempo: 119, rhythm_density: 0.51 } },
  } as unknown as EditResponse

  it('asked, measured, and what the preset implies', () => {
    expect(shown(row('tempo'), REST, piece, edited)).toEqual({ source: 100, asked: 120, measured: 119, byPreset: true })
    expect(shown(row('rhythm_density'), REST, piece, edited)).toMatchObject({ asked: null, measured: 0.51, byPreset: false })
    expect(shown(row('tempo'), { ...REST, values: { tempo: 90 } }, piece, edited)).toMatchObject({ asked: 90, byPreset: false })
    expect(shown(row('tempo'), REST, piece, null)).toEqual({ source: 100, asked: null, measured: 100, byPreset: false })
  })

  it('says it in words', () => {
    expect(spoken('tempo', shown(row('tempo'), REST, piece, edited))).toBe(
      'tempo: asked 120 by the preset, measured 119, the piece has 100',
    )
    expect(spoken('tempo', shown(row('tempo'), REST, piece, null))).toContain('at rest')
  })

  it('has a range that holds the piece’s own value', () => {
    expect(span(row('tempo', { low: 20, high: 300 }), 250)).toEqual([30, 250])
    expect(span(row('rhythm_density'), 0.5)).toEqual([0, 1])
    expect(span(row('mine', { low: -2, high: 2 }), null)).toEqual([-2, 2])
    expect(step(row('rhythm_density'))).toBeCloseTo(0.01)
  })
})
