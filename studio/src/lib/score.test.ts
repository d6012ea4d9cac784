import { describe, expect, it } from 'vitest'
import { barAt, beatTicks, columnsOf, compare, firstFrom, nameOf, notesOf, Tempo, type Note } from './score'

const note = (onset: number, end: number, pitch: number, velocity = 80, track = 0): Note => ({ onset, end, pitch, velocity, track })

describe('what an edit changed', () => {
  it('tells kept, changed, new and gone apart', () => {
    const before = [note(0, 10, 60), note(0, 10, 64), note(10, 20, 62), note(20, 30, 65)]
    const after = [note(0, 10, 60), note(0, 5, 64), note(10, 20, 62, 40), note(15, 20, 67)]
    const { notes, gone } = compare(before, after)
    expect(notes.map((one) => one.change)).toEqual(['kept', 'changed', 'changed', 'new'])
    expect(gone).toEqual([note(20, 30, 65)])
  })

  it('counts doubled notes one by one, and tracks apart', () => {
    const twice = [note(0, 10, 60), note(0, 10, 60)]
    expect(compare(twice, [note(0, 10, 60)]).gone).toHaveLength(1)
    expect(compare([note(0, 10, 60)], [note(0, 10, 60, 80, 1)]).notes[0]!.change).toBe('new')
  })

  it('follows notes to another pitch, as voices go', () => {
    const before = [note(0, 10, 60), note(0, 10, 64), note(0, 10, 67), note(20, 30, 65)]
    const after = [note(0, 10, 62), note(0, 10, 64), note(0, 10, 69), note(0, 10, 72), note(25, 30, 65)]
    const { notes, gone, was } = compare(before, after)
    expect(notes.map((one) => one.change)).toEqual(['changed', 'kept', 'changed', 'new', 'new'])
    expect(was.map((one) => one.pitch)).toEqual([60, 67])
    expect(gone).toEqual([note(20, 30, 65)])
  })

  it('of nothing is nothing', () => expect(compare([], [])).toEqual({ notes: [], gone: [], was: [] }))

  it('reads columns', () =>
    expect(notesOf({ onset: [1], end: [2], pitch: [3], velocity: [4], track: [5] })).toEqual([note(1, 2, 3, 4, 5)]))

  it('writes them', () => expect(notesOf(columnsOf([note(1, 2, 3, 4, 5), note(6, 7, 8)]))).toEqual([note(1, 2, 3, 4, 5), note(6, 7, 8)]))
})

describe('time', () => {
  const tempo = new Tempo([[0, 500000], [960, 1000000], [1920, 250000]], 480)

  it('goes along tempo changes', () => {
    expect([0, 480, 960, 1440, 1920, 2400].map((t) => tempo.seconds(t))).toEqual([0, 0.5, 1, 2, 3, 3.25])
  })

  it('comes back', () => {
    for (const tick of [0, 1, 100, 959, 960, 1500, 1920, 5000]) expect(tempo.ticks(tempo.seconds(tick))).toBeCloseTo(tick, 9)
  })
})

describe('places', () => {
  it('finds the bar of a tick', () => {
    const lines = [0, 100, 200, 300]
    expect([0, 99, 100, 250, 300, 999].map((t) => barAt(lines, t))).toEqual([1, 1, 2, 3, 3, 3])
  })

  it('finds the first note from a tick on', () => {
    const notes = [0, 5, 5, 9].map((onset) => ({ onset }))
    expect([0, 1, 5, 6, 10].map((t) => firstFrom(notes, t))).toEqual([0, 1, 1, 3, 4])
  })

  it('knows beats of every metre', () => {
    const metre = [[0, 4, 4], [100, 6, 8], [200, 5, 8], [300, 2, 2]]
    expect([0, 150, 200, 999].map((tick) => beatTicks(metre, tick, 480))).toEqual([480, 720, 240, 480])
  })

  it('names pitches', () => expect([60, 61, 69, 21, 0].map(nameOf)).toEqual(['C4', 'C♯4', 'A4', 'A0', 'C-1']))
})
