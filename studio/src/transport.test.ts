import { beforeEach, expect, it, vi } from 'vitest'
import type { Piano } from './lib/synth'

let open: (piano: Piano) => void
vi.mock('./lib/synth', async (original) => ({ ...(await original<object>()), openPiano: () => new Promise<Piano>((resolve) => (open = resolve)) }))
const { Transport, SILENCE } = await import('./transport.svelte')
const nothing = () => undefined
const piano = {
  now: 0, latency: 0, on: nothing, off: nothing, pedal: nothing, silence: nothing, context: { resume: async () => undefined }, level: {}, instruments: async () => undefined,
} as unknown as Piano
let transport: InstanceType<typeof Transport>

beforeEach(() => {
  transport = new Transport()
  transport.player.change({ ...SILENCE, end: 480 })
})

it('plays when the piano is there', async () => {
  const playing = transport.play()
  expect(transport.loading).toBe(true)
  open(piano)
  await playing
  expect([transport.playing, transport.loading]).toEqual([true, false])
  transport.pause()
})

it('does not play what was paused while the piano loaded', async () => {
  const playing = transport.play()
  transport.pause()
  expect(transport.loading).toBe(false)
  open(piano)
  await playing
  expect([transport.playing, transport.player.playing]).toEqual([false, false])
})

it('knows the port to which it plays', async () => {
  const port = { ...piano, name: 'a', clock: {}, close: nothing } as unknown as Parameters<typeof transport.playTo>[0]
  await transport.playTo(port, 'one')
  expect(transport.chosen).toBe('one')
  await transport.playTo(null)
  expect(transport.chosen).toBe('')
})
