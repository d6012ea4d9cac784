import { describe, expect, it } from 'vitest'
import { beatsOf, follow, middleBar, pitch, range, resized, row, RULER, scroll, tick, whole, x, y, zoom, type View } from './geometry'

const fit = (width: number, end: number, pitches: number[]): View => ({ ...whole(width, end), ...range(pitches), height: 424, top: RULER, bottom: 0 })
const view = fit(960, 9600, [48, 72])

describe('the roll', () => {
  it('shows the whole piece and some pitches around it', () => {
    expect([x(view, 0), x(view, 9600)]).toEqual([0, 960])
    expect(view.low).toBeLessThan(48)
    expect(view.high).toBeGreaterThan(72)
    expect(y(view, view.high)).toBe(RULER)
    expect(y(view, view.low) + row(view)).toBeCloseTo(424)
    expect(y({ ...view, bottom: 50 }, view.low) + row({ ...view, bottom: 50 })).toBeCloseTo(374)
  })

  it('comes back from pixels to ticks and pitches', () => {
    for (const t of [0, 480, 9599]) expect(tick(view, x(view, t))).toBeCloseTo(t)
    for (let p = view.low; p <= view.high; p++) {
      expect(pitch(view, y(view, p) + 0.01)).toBe(p)
      expect(pitch(view, y(view, p) + row(view) - 0.01)).toBe(p)
    }
  })

  it('has at least two octaves and stays on the keyboard', () => {
    expect(range([127]).high).toBe(127)
    expect(range([0]).low).toBe(0)
    expect(range([]).high - range([]).low).toBeGreaterThanOrEqual(24)
    expect(whole(100, 0).perTick).toBe(100)
  })
})

describe('zoom and scroll', () => {
  it('keeps what is under the pointer', () => {
    const near = zoom(view, 2, 480, 9600, 480)
    expect(near.perTick).toBeCloseTo(view.perTick * 2)
    expect(tick(near, 480)).toBeCloseTo(tick(view, 480))
  })

  it('does not go beyond the piece', () => {
    expect(scroll(view, -500, 9600).start).toBe(0)
    const near = zoom(view, 4, 0, 9600, 480)
    expect(scroll(near, 1e9, 9600).start).toBeCloseTo(9600 - near.width / near.perTick)
    expect(zoom(view, 1e-9, 0, 9600, 480).perTick).toBeCloseTo(view.perTick)
    expect(zoom(view, 1e9, 0, 9600, 480).perTick).toBe(60 / 120)
  })

  it('stays as it is where the place gets another size', () => {
    const near = scroll(zoom(view, 4, 0, 9600, 480), 300, 9600)
    expect(resized(near, 480, 9600)).toMatchObject({ width: 480, start: near.start, perTick: near.perTick, height: 424 })
    expect(resized(view, 480, 9600).perTick).toBeCloseTo(view.perTick / 2)
    const wide = resized(near, 1e5, 9600)
    expect([wide.start, wide.perTick]).toEqual([0, 1e5 / 9600])
  })

  it('turns the page where the playhead leaves', () => {
    const near = zoom(view, 4, 0, 9600, 480)
    expect(follow(near, 100, 9600)).toBe(near)
    const turned = follow(near, 5000, 9600)
    expect(x(turned, 5000)).toBeCloseTo(0.08 * 960)
  })
})

describe('bars', () => {
  const lines = [0, 480, 2400, 4320, 6240]

  it('are as far apart as most of them, whatever the upbeat', () => {
    expect(middleBar(lines)).toBe(1920)
    expect(middleBar([0])).toBe(1)
  })

  it('have beats, an upbeat from its end', () => {
    expect(beatsOf(lines, 2, 480)).toEqual([960, 1440, 1920])
    expect(beatsOf(lines, 1, 480)).toEqual([])
    expect(beatsOf([0, 700, 2620], 1, 480)).toEqual([220])
    expect(beatsOf([0, 1440, 2880], 1, 720)).toEqual([720]) // 6/8
  })
})
