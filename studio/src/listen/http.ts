// The HTTP API of the listening test's server; no other file knows it. The subject's token is in the page's address:
// ?s=TOKEN.
import type { AnswerRequest, ErrorResponse, State } from './types'

const TIMEOUT = 15_000 // milliseconds

/** A failed request. Status 0: no server answered. */
export class Problem extends Error {
  constructor(
    message: string,
    readonly status: number,
  ) {
    super(message)
  }

  /** Whether the same request may succeed later. */
  get passing(): boolean {
    return this.status === 0 || this.status >= 500 || this.status === 408 || this.status === 429
  }
}

export const token = new URLSearchParams(location.search).get('s') ?? ''

const address = (path: string): string => `api/${path}?s=${encodeURIComponent(token)}`

async function call(path: string, options: RequestInit = {}): Promise<State> {
  let response: Response
  try {
    response = await fetch(address(path), { ...options, signal: AbortSignal.timeout(TIMEOUT) })
    if (response.ok) return (await response.json()) as State
  } catch {
    throw new Problem('the server does not answer', 0)
  }
  let text = response.statusText || `status ${response.status}`
  try {
    text = ((await response.json()) as ErrorResponse).error
  } catch {
    // not an answer of our server: the status text is shown
  }
  throw new Problem(text, response.status)
}

export const state = (): Promise<State> => call('state')
export const consent = (): Promise<State> => call('consent', { method: 'POST' })
export const finish = (): Promise<State> => call('finish', { method: 'POST' })
export const withdraw = (): Promise<State> => call('withdraw', { method: 'POST' })
export const sound = (id: string): string => address(`sound/${encodeURIComponent(id)}`)

/** Send a part of an answer; the browser completes the request even when the page closes. */
export const answer = (part: AnswerRequest): Promise<State> =>
  call('answer', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(part),
    keepalive: true,
  })
