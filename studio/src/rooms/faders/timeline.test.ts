import { expect, it } from 'vitest'
import { Timeline } from './timeline.svelte'
import type { PieceInfo } from '../../lib/types'

const piece = (id: string) => ({ id, bars: [0, 1920, 3840, 100_000], tpq: 480 }) as PieceInfo
const wheel = (deltaX: number) => ({ preventDefault: () => undefined, deltaX, deltaY: 0 }) as WheelEvent

function opened(): Timeline {
  const timeline = new Timeline()
  timeline.resize(600)
  timeline.open(piece('a'))
  return timeline
}

it('keeps its zoom and its place for a piece that is shown again', () => {
  const timeline = opened()
  timeline.zoom(2, 0)
  timeline.wheel(wheel(300))
  const { time } = timeline
  expect(time.start).toBeGreaterThan(0)
  timeline.open(piece('a')) // with another model
  expect(timeline.time).toEqual(time)
  timeline.open(piece('b'))
  expect(timeline.time.start).toBe(0)
})

it('no longer follows after a scroll', () => {
  const timeline = opened()
  expect(timeline.following).toBe(true)
  timeline.wheel(wheel(10))
  expect(timeline.following).toBe(false)
  timeline.following = true
  timeline.begin(50)
  expect(timeline.following).toBe(false)
})

it('shows some bars', () => {
  const timeline = opened()
  timeline.show(1920, 3840)
  expect([timeline.x(1920), timeline.x(3840)].map(Math.round)).toEqual([0, 600])
})
