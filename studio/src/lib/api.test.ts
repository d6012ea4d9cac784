import { expect, it, vi } from 'vitest'
import { Live } from './api'

/** A socket whose server a test plays. */
class Socket {
  static readonly OPEN = 1
  static all: Socket[] = []
  readyState = 0
  sent: string[] = []
  onopen = () => undefined as void
  onclose = () => undefined as void
  onmessage = (_: { data: string }) => undefined as void
  constructor() {
    Socket.all.push(this)
  }
  send(text: string): void {
    this.sent.push(text)
  }
  close(): void {
    this.readyState = 3
  }
  open(): void {
    this.readyState = 1
    this.onopen()
  }
}

vi.stubGlobal('WebSocket', Socket)
vi.stubGlobal('location', { href: 'http://127.0.0.1/' })
const nothing = () => undefined

it.each([null, 1])('does not send a refused request again when it reconnects (number %s)', (seq) => {
  vi.useFakeTimers()
  Socket.all = []
  const errors: unknown[] = []
  const live = new Live({ onEdited: nothing, onProgress: nothing, onError: (error) => errors.push(error), onState: nothing })
  const [first] = Socket.all
  first!.open()
  live.edit({ piece: 'a' } as Parameters<typeof live.edit>[0])
  expect(first!.sent).toHaveLength(1)
  first!.onmessage({ data: JSON.stringify({ seq, error: 'it is wrong' }) })
  expect(errors).toEqual([{ seq, error: 'it is wrong' }])
  first!.onclose()
  vi.runOnlyPendingTimers()
  Socket.all[1]!.open()
  expect(Socket.all[1]!.sent).toEqual([])
  live.edit({ piece: 'b' } as Parameters<typeof live.edit>[0])
  Socket.all[1]!.onclose() // before an answer
  vi.runOnlyPendingTimers()
  Socket.all[2]!.open()
  expect(Socket.all[2]!.sent).toHaveLength(1)
  live.close()
  vi.useRealTimers()
})
