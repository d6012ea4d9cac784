import { expect, it } from 'vitest'
import { clamp, megabytes, text } from './values'

it('writes values short', () => {
  expect([text(null), text(2), text(0.123), text(67.94), text('B-flat minor')]).toEqual(['–', '2', '0.12', '67.9', 'B♭ minor'])
})

it('keeps a number within its limits', () => {
  expect([clamp(-1, 0, 2), clamp(1, 0, 2), clamp(3, 0, 2)]).toEqual([0, 1, 2])
})

it('writes bytes in MB, rounded up', () => {
  expect([2 ** 21, 2 ** 21 + 1, 3.5 * 2 ** 20].map(megabytes)).toEqual(['2 MB', '2.01 MB', '3.5 MB'])
})
