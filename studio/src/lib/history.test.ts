import { describe, expect, it } from 'vitest'
import { amend, begin, keep, MOST, redo, undo, write } from './history'

describe('history', () => {
  it('steps back and forth', () => {
    let h = write(write(begin({ a: 0 }), { a: 1 }), { a: 2 })
    h = undo(h)
    expect(h.now).toEqual({ a: 1 })
    h = undo(h)
    expect(undo(h)).toBe(h)
    h = redo(redo(h))
    expect(h.now).toEqual({ a: 2 })
    expect(redo(h)).toBe(h)
  })

  it('a new state forgets what was undone', () => {
    const h = write(undo(write(begin(0), 1)), 2)
    expect(h.future).toEqual([])
    expect(undo(h).now).toBe(0)
  })

  it('the same state is no step', () => {
    const h = begin({ a: [1, 2] })
    expect(write(h, { a: [1, 2] })).toBe(h)
  })

  it('one step may go on', () => {
    const h = amend(write(begin(0), 1), 2)
    expect([h.now, undo(h).now]).toEqual([2, 0])
  })

  it('is not kept for ever', () => {
    let h = begin(0)
    for (let i = 1; i <= MOST + 50; i++) h = write(h, i)
    expect(h.past).toHaveLength(MOST)
  })
})

describe('snapshots', () => {
  it('are kept by name', () => {
    const list = keep(keep(keep([], 'a', 1), 'b', 2), 'a', 3)
    expect(list).toEqual([{ name: 'b', state: 2 }, { name: 'a', state: 3 }])
    expect(keep(list, '  ', 4).at(-1)!.name).toBe('Snapshot 3')
  })
})
