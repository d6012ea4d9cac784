// The HTTP API of the studio's server; no other file knows it.
import type {
  AboutResponse, BlendCell, DecodeResponse, DescribeRequest, DescribeResponse, EditProgress, EditRequest, EditResponse, ErrorResponse, FolderInfo, FolderRequest, InspectResponse, KnobsRequest, MapInfo,
  MelodyInfo, PieceInfo, RenderRequest, SliderGroup, TurnResponse,
} from './types'

export class Problem extends Error {
  constructor(
    message: string,
    readonly status: number,
  ) {
    super(message)
  }
}

const NO_ANSWER = 'the studio’s server does not answer; start it again with `fadernets studio`. Your work is kept.'

async function call(path: string, options: RequestInit = {}): Promise<Response> {
  let response: Response
  try {
    response = await fetch(`api/${path}`, options)
  } catch (error) {
    if (options.signal?.aborted) throw error
    throw new Problem(NO_ANSWER, 0)
  }
  if (response.ok) return response
  let text = response.statusText
  try {
    text = ((await response.json()) as ErrorResponse).error
  } catch {
    // not an answer of our server: the status text is shown
  }
  throw new Problem(text, response.status)
}

const json = async <T>(path: string, options?: RequestInit): Promise<T> => (await call(path, options)).json() as Promise<T>

const post = (body: unknown, signal?: AbortSignal): RequestInit => ({
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
  ...(signal ? { signal } : {}),
})

export const about = (): Promise<AboutResponse> => json('about')
export const piece = (id: string, model: string): Promise<PieceInfo> =>
  json(`pieces/${encodeURIComponent(id)}?model=${encodeURIComponent(model)}`)
export const sourceUrl = (id: string): string => `api/pieces/${encodeURIComponent(id)}/midi`
export const source = async (id: string): Promise<ArrayBuffer> => (await call(`pieces/${encodeURIComponent(id)}/midi`)).arrayBuffer()

export const upload = (name: string, data: ArrayBuffer): Promise<PieceInfo> =>
  json(`pieces?name=${encodeURIComponent(name)}`, { method: 'POST', body: data })

export const edit = (request: EditRequest, signal?: AbortSignal): Promise<EditResponse> => json('edit', post(request, signal))

export const describe = (request: DescribeRequest): Promise<DescribeResponse> => json('describe', post(request))

export interface File {
  name: string
  blob: Blob
}

async function file(path: string, body: unknown, signal?: AbortSignal): Promise<File> {
  const response = await call(path, post(body, signal))
  const disposition = response.headers.get('content-disposition') ?? ''
  const name = decodeURIComponent(/filename\*=UTF-8''([^;]+)/.exec(disposition)?.[1] ?? 'file')
  return { name, blob: await response.blob() }
}

export const render = (request: RenderRequest, signal?: AbortSignal): Promise<File> => file('render', request, signal)

export const folder = (): Promise<FolderInfo> => json('folder')
export const writeBeside = (request: FolderRequest): Promise<{ name: string }> => json('folder/write', post(request))

export const melody = (id: string): Promise<MelodyInfo> => json(`pieces/${encodeURIComponent(id)}/melody`)
export const turn = (request: { seq: number; clips: number[][]; knobs: Partial<KnobsRequest> }): Promise<TurnResponse> =>
  json('melody/turn', post(request))
export const sliders = async (): Promise<SliderGroup[]> => (await json<{ groups: SliderGroup[] }>('melody/dimensions')).groups
export const melodyFile = (request: {
  clips: number[][]; tempo: number; name: string; format: string; knobs: Partial<KnobsRequest> | null; source: string
}): Promise<File> =>
  file('melody/file', request)
export const editMelody = (request: { piece: string; track: string | null; knobs: Partial<KnobsRequest> }): Promise<File> =>
  file('melody/sing', request)

/** The melodies between two, as the server computes them. */
export async function* blend(request: { a: number[][]; b: number[][]; rows: number; columns: number; control: KnobsRequest['control'] }): AsyncGenerator<BlendCell> {
  const response = await call('melody/blend', post(request))
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
  let unfinished = ''
  for (;;) {
    const { done, value } = await reader.read()
    unfinished += value ?? ''
    const lines = unfinished.split('\n')
    unfinished = lines.pop() ?? ''
    for (const line of lines) if (line) yield JSON.parse(line) as BlendCell
    if (done) return
  }
}

export const inspect = (model: string): Promise<InspectResponse> => json(`inspect/${encodeURIComponent(model)}`)
export const map = (model: string, method: string): Promise<MapInfo> => json(`map/${encodeURIComponent(model)}?method=${method}`)
export const decode = (request: { model: string; index: number; x: number; y: number }): Promise<DecodeResponse> =>
  json('map/decode', post(request))

const [FIRST_DELAY, LONGEST_DELAY] = [250, 4000] // milliseconds before it connects again

export type LiveState = 'open' | 'closed'

/** What comes back of edits. An answer may come in parts: the bars in sight, then bars from the first on as they are
 * decided, in the end the whole piece. */
export interface LiveEvents {
  onEdited: (edited: EditResponse) => void
  onProgress: (progress: EditProgress) => void
  onError: (error: ErrorResponse) => void
  onState: (state: LiveState) => void
}

/** Edits that follow each other, of which the newest wins. It reconnects by itself, and sends the newest unanswered
 * request again. */
export class Live {
  private socket: WebSocket | null = null
  private waiting: EditRequest | null = null
  private seq = 0
  private delay = FIRST_DELAY
  private ended = false

  constructor(private readonly on: LiveEvents) {
    this.connect()
  }

  /** Request an edit. Returns its number, which the answer repeats. */
  edit(request: Omit<EditRequest, 'seq'>): number {
    this.waiting = { ...request, seq: ++this.seq }
    this.send()
    return this.seq
  }

  /** Nobody waits for the newest request any more. */
  stop(): void {
    if (this.waiting && this.socket?.readyState === WebSocket.OPEN) this.socket.send('"stop"')
    this.waiting = null
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
      this.delay = FIRST_DELAY
      this.on.onState('open')
      this.send()
    }
    socket.onmessage = (message: MessageEvent<string>) => {
      const answer = JSON.parse(message.data) as EditResponse | EditProgress | ErrorResponse
      if ('total' in answer) return this.on.onProgress(answer)
      const isFirstOfMore = 'part' in answer && answer.part && !answer.draft
      const isOfNewest = answer.seq === null || answer.seq === this.waiting?.seq // what cannot be read has no number
      if (!isFirstOfMore && isOfNewest) this.waiting = null
      if ('error' in answer) this.on.onError(answer)
      else this.on.onEdited(answer)
    }
    socket.onclose = () => {
      if (this.ended) return
      this.on.onState('closed')
      setTimeout(() => this.connect(), this.delay)
      this.delay = Math.min(this.delay * 2, LONGEST_DELAY)
    }
  }

  private send(): void {
    if (this.waiting && this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(this.waiting))
  }
}

/** The port that the server opened for a DAW; each message goes with the seconds from now at which it is due. */
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
