import 'fake-indexeddb/auto'
import { beforeEach, expect, it, vi } from 'vitest'
import type { Studio } from '../../studio.svelte'
import type { BlendCell } from '../../lib/types'

let give: (row: number) => void // the next cell of a blend
vi.mock('../../lib/api', () => ({
  blend: async function* () {
    for (;;) yield await new Promise<BlendCell>((resolve) => (give = (row) => resolve({ row, column: 0, clips: [], pitch: 60, onsets: 1 } as unknown as BlendCell)))
  },
  turn: async () => ({ seq: 0, clips: [] }),
}))
const { MelodyState } = await import('./state.svelte')
const nothing = () => undefined
const piano = { now: 0, latency: 0, on: nothing, off: nothing, pedal: nothing, silence: nothing }
let load: () => void
let room: InstanceType<typeof MelodyState>
const later = () => new Promise((resolve) => setTimeout(resolve, 5))

beforeEach(() => {
  const transport = { loadPiano: () => new Promise((resolve) => (load = () => resolve(piano))), pause: nothing, outs: () => [piano], playNote: async () => undefined }
  room = new MelodyState({ transport, problem: '', notice: '' } as unknown as Studio)
  room.enterNote(60)
})

it('does not play what was stopped while the piano loaded', async () => {
  const playing = room.play()
  room.stop()
  load()
  await playing
  expect(room.playing).toBe(false)
})

it('plays the newest of what was chosen while the piano loaded', async () => {
  const first = room.play()
  const loadFirst = load
  const second = room.play()
  load()
  loadFirst()
  await Promise.all([first, second])
  expect(room.playing).toBe(true)
  room.stop()
})

it('draws no blend of a melody that is gone', async () => {
  room.keepAsOther()
  const drawing = room.blend()
  await later()
  give(0)
  await later()
  expect(room.cells).toHaveLength(1)
  room.enterNote(62)
  expect([room.cells.length, room.busy]).toEqual([0, false])
  give(1)
  await drawing
  expect(room.cells).toEqual([])
})
