import 'fake-indexeddb/auto'
import { expect, it } from 'vitest'
import { EMPTY } from './regions'
import { begin, write } from '../../lib/history'
import { keep, list, MOST, workOn } from './works'

const work = (piece: string, tempo = 0) => ({
  piece,
  title: `${piece}.mid`,
  data: new Uint8Array([1, 2]).buffer as ArrayBuffer,
  history: tempo ? write(begin(EMPTY), { ...EMPTY, notes: [String(tempo)] }) : begin(EMPTY),
  snapshots: [],
})

it('keeps each piece’s own, the newest first', async () => {
  expect(await list()).toEqual([])
  await keep(work('a', 90))
  await keep(work('b'))
  expect(await keep(work('a', 120))).toEqual([{ piece: 'a', title: 'a.mid' }, { piece: 'b', title: 'b.mid' }])
  expect((await workOn('a'))?.history.now.notes).toEqual(['120'])
  expect((await workOn('b'))?.data?.byteLength).toBe(2)
  expect(await workOn('c')).toBeUndefined()
})

it('keeps the order in which it was asked', async () => {
  await Promise.all([1, 2, 3].map((tempo) => keep(work('a', tempo))))
  expect((await workOn('a'))?.history.now.notes).toEqual(['3'])
})

it('lets go of the oldest', async () => {
  for (let i = 0; i < MOST; i++) await keep(work(`p${i}`))
  expect(await list()).toHaveLength(MOST)
  expect(await workOn('a')).toBeUndefined()
  expect(await workOn('p0')).toBeDefined()
})
