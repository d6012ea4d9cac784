import { describe, expect, it } from 'vitest'
import { around, colour, nearest, pixels, place, ranks, towards } from './plane'

const places = [{ x: 0, y: 0 }, { x: 4, y: 0 }, { x: 0, y: 2 }, { x: 4, y: 2.2 }]
const plane = around(400, 300, places)

describe('the plane', () => {
  it('holds every point', () => {
    for (const one of places) {
      const at = pixels(plane, one)
      expect(at.x).toBeGreaterThanOrEqual(17)
      expect(at.x).toBeLessThanOrEqual(383)
      expect(at.y).toBeGreaterThanOrEqual(17)
      expect(at.y).toBeLessThanOrEqual(283)
    }
  })

  it('comes back from pixels', () => {
    const back = place(plane, pixels(plane, { x: 1.5, y: -0.5 }))
    expect(back.x).toBeCloseTo(1.5)
    expect(back.y).toBeCloseTo(-0.5)
  })

  it('finds the nearest point within reach', () => {
    expect(nearest(plane, places, pixels(plane, { x: 3.95, y: 0.02 }))).toBe(1)
    expect(nearest(plane, places, pixels(plane, { x: 2, y: 1 }))).toBe(-1)
  })

  it('is walked by arrows', () => {
    expect(towards(places, 0, 1, 0)).toBe(1)
    expect(towards(places, 0, 0, 1)).toBe(2)
    expect(towards(places, 2, 1, 0)).toBe(3)
    expect(towards(places, 0, -1, 0)).toBe(0)
    expect(towards(places, -1, 1, 0)).toBe(0)
  })

  it('is of one point too', () => expect(Number.isFinite(around(10, 10, [{ x: 0, y: 0 }]).scale)).toBe(true))
})

describe('colours', () => {
  it('go by rank', () => expect(ranks([5, null, 1, 5, 9])).toEqual([0.5, null, 0, 0.5, 1]))
  it('of one value is the middle', () => expect(ranks([3])).toEqual([0.5]))
  it('differ in hue and lightness', () => {
    expect(colour(0)).not.toBe(colour(1))
    expect(colour(null)).toContain('0%')
  })
})
