import { expect, it } from 'vitest'
import { barsThatDiffer, heldOf, ticksOf } from './frozen'
import type { Note } from '../../lib/score'

const note = (onset: number, pitch: number, velocity = 80): Note => ({ onset, end: onset + 10, pitch, velocity, track: 0 })
const lines = [0, 100, 200, 300]
const source = [note(0, 60), note(50, 62), note(150, 64), note(290, 65)]
const edited = [note(0, 60), note(50, 62, 90), note(150, 64), note(160, 66), note(290, 65)]

it('a bar holds the notes that begin in it', () => {
  expect(heldOf(source, edited, lines, 1)).toEqual({ rows: [[1, 0, 10, 60, 80], [1, 50, 60, 62, 90]], differs: true })
  expect(heldOf(source, edited, lines, 3)).toEqual({ rows: [[1, 290, 300, 65, 80]], differs: false })
  expect([1, 2, 3].map((bar) => ticksOf(lines, bar))).toEqual([[0, 100], [100, 200], [200, 600]])
})

it('bars differ where a note does', () => {
  expect(barsThatDiffer(source, edited, lines)).toEqual([1, 2])
  expect(barsThatDiffer(edited, source, lines)).toEqual([1, 2])
  expect(barsThatDiffer(source, source, lines)).toEqual([])
})
