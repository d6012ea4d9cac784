import { describe, expect, it } from 'vitest'
import { common, differenceWith, hold, over, segmentsWith, spliced, tempoWith, unchanged, within, type Answer } from './parts'
import { compare, type Note } from '../../lib/score'
import type { EditResponse, PieceInfo, SegmentValues } from '../../lib/types'

const note = (onset: number, pitch = 60, track = 0): Note => ({ onset, end: onset + 100, pitch, velocity: 80, track })
const all = [0, 100, 200, 300, 400].map((at) => note(at))
const plain = (notes: readonly Note[]) => notes.map((n) => [n.onset, n.pitch])

describe('a part over what is known', () => {
  it('takes the place of what begins in its ticks, and of nothing else', () => {
    const part = [note(210, 64), note(290, 65)]
    expect(plain(spliced(all, part, [200, 400]))).toEqual([[0, 60], [100, 60], [210, 64], [290, 65], [400, 60]])
    expect(spliced(all, [], [0, 1000])).toEqual([])
    expect(plain(within(all, [100, 300]))).toEqual([[100, 60], [200, 60]])
  })

  it('differs from the source as the whole would', () => {
    const known = spliced(all, [note(0, 62)], [0, 100])
    const part = [note(200, 61), note(250)]
    const found = differenceWith(compare(all, known), all, part, [200, 400])
    const whole = compare(all, spliced(known, part, [200, 400]))
    expect(found.notes).toEqual(whole.notes)
    expect(plain(found.gone).sort()).toEqual(plain(whole.gone).sort())
    expect(plain(found.was).sort()).toEqual(plain(whole.was).sort())
    expect(unchanged(all).notes.every((one) => one.change === 'kept')).toBe(true)
  })

  it('has its tempo in its ticks, and the one from before behind them', () => {
    expect(tempoWith([[0, 500]], [[200, 400]], [200, 400])).toEqual([[0, 500], [200, 400], [400, 500]])
    expect(tempoWith([[0, 500], [300, 600], [500, 700]], [[200, 400], [300, 450]], [200, 400])).toEqual([[0, 500], [200, 400], [300, 450], [400, 600], [500, 700]])
  })

  it('has its measures in their places', () => {
    const row = (index: number, at: number): SegmentValues => ({ index, bar: index + 1, before: {}, asked: {}, measured: { pitch: at } })
    expect(segmentsWith([row(0, 1), row(2, 1)], [row(1, 2), row(2, 2)]).map((one) => [one.index, one.measured.pitch])).toEqual([[0, 1], [1, 2], [2, 2]])
  })

  it('speaks of the bars that both hold', () => {
    expect(common([3, 9], [5, 20])).toEqual([5, 9])
    expect(common([3, 9], null)).toEqual([3, 9])
    expect(common([3, 4], [5, 6])).toBeNull()
    expect(hold([1, 9], [5, 9], 20)).toBe(true)
    expect(hold([1, 9], null, 20)).toBe(false)
    expect(hold([1, 20], null, 20)).toBe(true)
  })

  it('says nothing of regions and bars where it is decided before the others', () => {
    const piece = { tempo: [[0, 500]], pedal: [], end: 500, means: { pitch: 60 } } as unknown as PieceInfo
    const answer = (ticks: [number, number], is_decided: boolean, regions: unknown[]) =>
      ({ seq: 1, tempo: [[ticks[0], 500]], segments: [], regions, part: { bars: [1, 1], ticks, is_behind: false, is_decided } }) as unknown as EditResponse
    const sight: Answer = over(null, piece, all, answer([300, 400], false, ['sight']), [7], [note(350, 70)])
    const found = over(sight, piece, all, answer([0, 200], true, []), [8], [note(50, 71)])
    expect(plain(found.notes)).toEqual([[50, 71], [200, 60], [350, 70], [400, 60]])
    expect([found.ids, found.edited.regions, found.edited.part]).toEqual([[7], ['sight'], sight.edited.part])
    const first = over(null, piece, all, answer([0, 200], true, []), [8], [])
    expect([first.ids, first.edited.regions, first.edited.part]).toEqual([[], [], null])
  })

  it('lies over the source where nothing was answered yet, and over the earlier part of the same answer', () => {
    const piece = { tempo: [[0, 500]], pedal: [], end: 500, means: { pitch: 60 } } as unknown as PieceInfo
    const edited = (ticks: [number, number]) => ({ seq: 1, tempo: [], segments: [], part: { bars: [1, 1], ticks, is_behind: false } }) as unknown as EditResponse
    const first: Answer = over(null, piece, all, edited([0, 100]), [7], [note(50, 70)])
    const second = over(first, piece, all, edited([300, 400]), [7], [])
    expect(plain(second.notes)).toEqual([[50, 70], [100, 60], [200, 60], [400, 60]])
    expect(second.edited.end).toBe(500)
    expect(second.edited.means.measured).toEqual({ pitch: 60 })
    expect(second.difference.gone.map((one) => one.onset)).toEqual([0, 300])
  })
})
