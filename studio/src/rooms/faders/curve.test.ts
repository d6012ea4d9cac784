import { expect, it } from 'vitest'
import { stroke } from './curve'

it('sets one bar, and the bars between two events', () => {
  expect(stroke(null, [3, 0.5], [1, 8])).toEqual({ 3: 0.5 })
  expect(stroke([3, 0.5], [3, 0.7], [1, 8])).toEqual({ 3: 0.7 })
  expect(stroke([3, 0], [6, 3], [1, 8])).toEqual({ 3: 0, 4: 1, 5: 2, 6: 3 })
  expect(stroke([6, 3], [4, 1], [1, 8])).toEqual({ 6: 3, 5: 2, 4: 1 })
})

it('leaves bars outside the selection alone', () => {
  expect(stroke(null, [1, 0.5], [2, 4])).toEqual({})
  expect(stroke([3, 0], [6, 3], [2, 4])).toEqual({ 3: 0, 4: 1 })
  expect(stroke([1, 0], [3, 2], [2, 4])).toEqual({ 2: 1, 3: 2 })
})
