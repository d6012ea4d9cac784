import { expect, it } from 'vitest'
import { measureAt, numberedFromOne, shareAt, xAt, type Measure } from './score_places'

const measure = (bar: number, left: number, top: number): Measure => ({
  bar, left, top, width: 100, height: 80, points: [[0, left + 20], [0.5, left + 50]],
})
const measures = [measure(1, 0, 0), measure(2, 100, 0), measure(3, 0, 200)]

it('finds the bar under a place', () => {
  expect([[50, 40], [150, 40], [400, 40], [50, 240]].map(([x, y]) => measureAt(measures, x!, y!)?.bar)).toEqual([1, 2, 2, 3])
  expect(measureAt(measures, 50, 140)).toBeNull()
  expect(measureAt([], 0, 0)).toBeNull()
})

it('goes from places in the bar to pixels and back', () => {
  expect([0, 0.25, 0.5, 0.75, 1].map((share) => xAt(measures[0]!, share))).toEqual([20, 35, 50, 75, 100])
  for (const share of [0, 0.25, 0.6, 0.9]) expect(shareAt(measures[0]!, xAt(measures[0]!, share))).toBeCloseTo(share)
  expect([shareAt(measures[0]!, 3), shareAt(measures[0]!, 500)]).toEqual([0, 0.999])
  expect(xAt({ ...measures[0]!, points: [] }, 0.5)).toBe(50)
})

it('numbers bars from 1, an upbeat too', () => {
  const xml = (...numbers: number[]) => numbers.map((number) => `<measure number="${number}"${number ? '' : ' implicit="yes"'}><x number="7"/></measure>`).join('')
  expect(numberedFromOne(xml(1, 2))).toBe(xml(1, 2))
  expect([...numberedFromOne(xml(0, 1, 2, 0, 1, 2)).matchAll(/number="(\d)"/g)].map((one) => one[1]).join('')).toBe('172737172737')
})
