import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { AnswerRequest } from './types'

vi.stubGlobal('location', { search: '?s=t' })
const { Problem } = await import('./http')
const { Outbox, merged } = await import('./outbox')

class Server {
  got: AnswerRequest[] = []
  problem: InstanceType<typeof Problem> | null = null
  hold: Promise<void> | null = null
  kept: string | null = null
  refused: string[] = []

  box(): InstanceType<typeof Outbox> {
    return new Outbox(
      async (part) => {
        await this.hold
        if (this.problem) throw this.problem
        this.got.push(part)
      },
      { load: () => this.kept, save: (text) => (this.kept = text) },
      () => {},
      (problem) => this.refused.push(problem.message),
    )
  }
}

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

test('what is put is sent in order, and then kept no more', async () => {
  const server = new Server()
  const box = server.box()
  box.put({ trial: 'a', changed: 'up' })
  box.put({ trial: 'a', ratings: { rhythm: 2 } })
  box.put({ trial: 'a', ratings: { rhythm: 3 } })
  box.put({ trial: 'b', changed: 'none' })
  expect(JSON.parse(server.kept!)).toHaveLength(3) // the second click on one rating took the place of the first
  await box.flush()
  expect(server.got).toEqual([
    { trial: 'a', changed: 'up' },
    { trial: 'a', ratings: { rhythm: 3 } },
    { trial: 'b', changed: 'none' },
  ])
  expect(server.kept).toBeNull()
})

test('while nobody answers all is kept, and sent when somebody does', async () => {
  const server = new Server()
  const box = server.box()
  server.problem = new Problem('nobody', 0)
  box.put({ trial: 'a', changed: 'up' })
  await vi.advanceTimersByTimeAsync(10)
  expect(box.online).toBe(false)
  box.put({ trial: 'a', changed: 'down' })
  box.put({ trial: 'b', changed: 'up' })
  await vi.advanceTimersByTimeAsync(5000)
  expect(server.got).toEqual([])
  expect(JSON.parse(server.kept!)).toHaveLength(2)
  server.problem = null
  await vi.advanceTimersByTimeAsync(20_000)
  expect(server.got.map((part) => part.changed)).toEqual(['down', 'up'])
  expect(box.online).toBe(true)
  expect(box.waiting).toEqual([])
})

test('another page sends what the last one kept', async () => {
  const server = new Server()
  server.kept = JSON.stringify([{ trial: 'a', changed: 'up' }])
  const box = server.box()
  expect(box.waiting).toHaveLength(1)
  await box.flush()
  expect(server.got).toEqual([{ trial: 'a', changed: 'up' }])
})

test.each(['', '{', '{"a": 1}', '[1, null]'])('what was kept and is no list of answers is none: %j', (text) => {
  const server = new Server()
  server.kept = text
  expect(server.box().waiting).toEqual([])
})

test('what the server refuses is not sent again', async () => {
  const server = new Server()
  const box = server.box()
  server.problem = new Problem('finished', 400)
  box.put({ trial: 'a', changed: 'up' })
  await box.flush()
  expect(server.refused).toEqual(['finished'])
  expect(box.waiting).toEqual([])
  expect(box.online).toBe(true)
})

test('what is on its way is not changed, nor sent twice once it was cleared', async () => {
  const server = new Server()
  const box = server.box()
  let go = (): void => {}
  server.hold = new Promise((resolve) => (go = resolve))
  box.put({ trial: 'a', changed: 'up' })
  box.put({ trial: 'a', changed: 'none' })
  expect(box.waiting).toHaveLength(2)
  box.clear()
  box.put({ trial: 'b', changed: 'down' })
  go()
  await box.flush()
  expect(server.got.map((part) => part.trial)).toEqual(['a', 'b'])
})

test('merging keeps what only one says', () => {
  const a: AnswerRequest = { trial: 'a', changed: 'up', ratings: { rhythm: 1, melody: 2 }, played: { original: 1, transformed: 0, seconds: 2 } }
  const b: AnswerRequest = { trial: 'a', ratings: { melody: 5 } }
  expect(merged(a, b)).toEqual({ ...a, ratings: { rhythm: 1, melody: 5 } })
})
