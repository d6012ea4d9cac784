import { describe, expect, it } from 'vitest'
import { Held, SHORTEST } from './held'

describe('held notes', () => {
  it('end now where they sound, and just after they begin where they do not sound yet', () => {
    const held = new Held()
    held.on(0, 60, 1)
    held.on(9, 36, 2.05)
    expect(held.end(2)).toEqual([[0, 60, 2], [9, 36, 2.05 + SHORTEST]])
    expect(held.end(2)).toEqual([])
  })

  it('are held until their end has come, not until it is known', () => {
    const held = new Held()
    held.on(0, 60, 1)
    held.off(0, 60, 2.05)
    held.on(0, 62, 1)
    held.off(0, 62, 1.5)
    expect(held.end(2)).toEqual([[0, 60, 2]])
  })

  it('are held again when their key is struck again', () => {
    const held = new Held()
    held.on(0, 60, 1)
    held.off(0, 60, 1.5)
    held.on(0, 60, 1.5)
    expect(held.end(2)).toEqual([[0, 60, 2]])
  })
})
