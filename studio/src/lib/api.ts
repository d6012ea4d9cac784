// The one file that knows HTTP.
import type {
  About, EditAsked, Edited, Failed, GridCell, Heard, Inspected, KnobsAsked, MapInfo, MelodyInfo, PieceInfo, RenderAsked, Turned,
} from './types'

export class Problem extends Error {
  constructor(
    message: string,
    readonly status: number,
  ) {
    super(message)
  }
}

const GONE = 'the studio’s server does not answer; start it again with `fadernets studio`. Your work is kept.'

async function call(path: string, options: RequestInit = {}): Promise<Response> {
  let response: Response
  try {
    response = await fetch(`api/${path}`, options)
  } catch {
    throw new Problem(GONE, 0)
  }
  if (response.ok) return response
  let text = response.statusText
  try {
    text = ((await response.json()) as Failed).error
  } catch {
    // not from our server: its status says enough
  }
  throw new Problem(text, response.status)
}

const json = async <T>(path: string, options?: RequestInit): Promise<T> => (await call(path, options)).json() as Promise<T>

const post = (body: unknown): RequestInit => ({
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
})

export const about = (): Promise<About> => json('about')
export const piece = (id: string, model: string): Promise<PieceInfo> =>
  json(`pieces/${encodeURIComponent(id)}?model=${encodeURIComponent(model)}`)
export const sourceUrl = (id: string): string => `api/pieces/${encodeURIComponent(id)}/midi`
export const source = async (id: string): Promise<ArrayBuffer> => (await call(`pieces/${encodeURIComponent(id)}/midi`)).arrayBuffer()

export const upload = (name: string, data: ArrayBuffer): Promise<PieceInfo> =>
  json(`pieces?name=${encodeURIComponent(name)}`, { method: 'POST', body: data })

export const edit = (asked: EditAsked): Promise<Edited> => json('edit', post(asked))

export const variations = (asked: EditAsked, count: number): Promise<Edited[]> => json(`variations?count=${count}`, post(asked))

export interface File {
  name: string
  blob: Blob
}

async function file(path: string, body: unknown): Promise<File> {
  const response = await call(path, post(body))
  const said = response.headers.get('content-disposition') ?? ''
  const name = decodeURIComponent(/filename\*=UTF-8''([^;]+)/.exec(said)?.[1] ?? 'file')
  return { name, blob: await response.blob() }
}

export const render = (asked: RenderAsked): Promise<File> => file('render', asked)

export const melody = (id: string): Promise<MelodyInfo> => json(`pieces/${encodeURIComponent(id)}/melody`)
export const turn = (asked: { seq: number; clips: number[][]; knobs: Partial<KnobsAsked> }): Promise<Turned> =>
  json('melody/turn', post(asked))
export const melodyFile = (asked: {
  clips: number[][]; tempo: number; name: string; format: string; knobs: Partial<KnobsAsked> | null; source: string
}): Promise<File> =>
  file('melody/file', asked)
export const sing = (asked: { piece: string; track: string | null; knobs: Partial<KnobsAsked> }): Promise<File> =>
  file('melody/sing', asked)

/** The cells of a grid, as they come. */
export async function* grid(asked: { a: number[][]; b: number[][]; rows: number; columns: number }): AsyncGenerator<GridCell> {
  const response = await call('melody/grid', post(asked))
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
  let rest = ''
  for (;;) {
    const { done, value } = await reader.read()
    rest += value ?? ''
    const lines = rest.split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) if (line) yield JSON.parse(line) as GridCell
    if (done) return
  }
}

export const inspect = (model: string): Promise<Inspected> => json(`inspect/${encodeURIComponent(model)}`)
export const map = (model: string, method: string): Promise<MapInfo> => json(`map/${encodeURIComponent(model)}?method=${method}`)
export const decode = (asked: { model: string; index: number; x: number; y: number }): Promise<Heard> => json('map/decode', post(asked))

export type LiveState = 'open' | 'closed'

/** Moves that follow each other: the newest wins. Reconnects, and sends the last move again that nobody answered. */
export class Live {
  private socket: WebSocket | null = null
  private waiting: EditAsked | null = null
  private seq = 0
  private wait = 250
  private ended = false

  constructor(
    private readonly onEdited: (edited: Edited) => void,
    private readonly onFailed: (failed: Failed) => void,
    private readonly onState: (state: LiveState) => void,
  ) {
    this.connect()
  }

  /** Ask for an edit; its number, which the answer brings back. */
  move(asked: Omit<EditAsked, 'seq'>): number {
    this.waiting = { ...asked, seq: ++this.seq }
    this.send()
    return this.seq
  }

  close(): void {
    this.ended = true
    this.socket?.close()
  }

  private connect(): void {
    const address = new URL('api/live', location.href)
    address.protocol = address.protocol === 'https:' ? 'wss:' : 'ws:'
    address.search = ''
    const socket = new WebSocket(address)
    this.socket = socket
    socket.onopen = () => {
      this.wait = 250
      this.onState('open')
      this.send()
    }
    socket.onmessage = (message: MessageEvent<string>) => {
      const answer = JSON.parse(message.data) as Edited | Failed
      if (this.waiting && answer.seq === this.waiting.seq) this.waiting = null
      if ('error' in answer) this.onFailed(answer)
      else this.onEdited(answer)
    }
    socket.onclose = () => {
      if (this.ended) return
      this.onState('closed')
      setTimeout(() => this.connect(), this.wait)
      this.wait = Math.min(this.wait * 2, 4000)
    }
  }

  private send(): void {
    if (this.waiting && this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(this.waiting))
  }
}

/** The port that the server opened for a DAW: messages with how many seconds from now each is due. */
export class ServerPort {
  private readonly socket: WebSocket
  private waiting: [number, number[]][] = []

  constructor() {
    const address = new URL('api/port', location.href)
    address.protocol = address.protocol === 'https:' ? 'wss:' : 'ws:'
    address.search = ''
    this.socket = new WebSocket(address)
    this.socket.onopen = () => this.flush()
  }

  send(message: number[], later: number): void {
    this.waiting.push([Math.max(0, later), message])
    if (this.waiting.length === 1) queueMicrotask(() => this.flush())
  }

  silence(): void {
    this.waiting = []
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify({ silence: true }))
  }

  close(): void {
    this.silence()
    this.socket.close()
  }

  private flush(): void {
    if (this.socket.readyState !== WebSocket.OPEN || !this.waiting.length) return
    this.socket.send(JSON.stringify({ messages: this.waiting.splice(0, 512) }))
  }
}
