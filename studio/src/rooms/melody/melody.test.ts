import { describe, expect, it } from 'vitest'
import { clipsOf, empty, enter, erase, flat, HOLD, MOST_CLIPS, notesOf, onsets, pitchOf, REST, STEPS, TICKS, trim } from './melody'

const begin = (...states: number[]) => [...states, ...empty()].slice(0, STEPS)

describe('a melody', () => {
  it('has notes', () => {
    const found = notesOf(begin(60, HOLD, REST, HOLD, 62, 62))
    expect(found.map((n) => [n.onset / TICKS, n.end / TICKS, n.pitch])).toEqual([[0, 2, 60], [4, 5, 62], [5, 6, 62]])
  })

  it('is cut into clips and joined', () => {
    const states = [...empty(3)]
    expect(clipsOf(states)).toHaveLength(3)
    expect(flat(clipsOf(states))).toEqual(states)
  })

  it('is entered step by step, rests too', () => {
    let at = { states: empty(), next: 0 }
    at = enter(at.states, at.next, 60, 3)
    at = enter(at.states, at.next, null, 2)
    at = enter(at.states, at.next, 64, 1)
    expect(at.states.slice(0, 7)).toEqual([60, HOLD, HOLD, REST, REST, 64, REST])
    expect(at.next).toBe(6)
  })

  it('gives way to what is entered over it', () => {
    const held = begin(60, HOLD, HOLD, HOLD)
    expect(enter(held, 1, 62, 1).states.slice(0, 4)).toEqual([60, 62, REST, REST])
  })

  it('grows by whole clips, to its limit', () => {
    expect(enter(empty(), 30, 60, 8).states).toHaveLength(2 * STEPS)
    const full = empty(MOST_CLIPS)
    const last = enter(full, full.length - 2, 60, 8)
    expect(last.states).toHaveLength(full.length)
    expect(last.next).toBe(full.length)
  })

  it('is erased note by note', () => {
    const states = begin(60, HOLD, 62, REST)
    expect(erase(states, 4)).toEqual({ states: begin(60, HOLD, 62, REST), next: 3 })
    expect(erase(states, 3)).toEqual({ states: begin(60, HOLD), next: 2 })
    expect(erase(begin(60, HOLD), 2)).toEqual({ states: begin(), next: 0 })
    expect(erase(states, 0).next).toBe(0)
  })

  it('is trimmed to its last note', () => {
    expect(trim([...begin(60), ...empty(3)])).toHaveLength(STEPS)
    expect(trim(empty(2))).toHaveLength(STEPS)
    expect(onsets(begin(60, HOLD, 62))).toBe(2)
  })
})

describe('the keyboard', () => {
  it('is a piano', () => {
    expect([pitchOf('a', 4), pitchOf('W', 4), pitchOf('k', 4), pitchOf(';', 4)]).toEqual([60, 61, 72, 76])
    expect([pitchOf('q', 4), pitchOf('Enter', 4), pitchOf(' ', 4)]).toEqual([null, null, null])
  })
})
