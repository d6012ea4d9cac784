// The one file of the listening test that knows HTTP. The subject's token comes with the page's address: ?s=TOKEN.
import type { Failed, Said, State } from './types'

const PATIENCE = 15_000 // ms

/** status: 0 where nobody answered. */
export class Problem extends Error {
  constructor(
    message: string,
    readonly status: number,
  ) {
    super(message)
  }

  /** Whether the same request may be answered later. */
  get passing(): boolean {
    return this.status === 0 || this.status >= 500 || this.status === 408 || this.status === 429
  }
}

export const token = new URLSearchParams(location.search).get('s') ?? ''

const address = (path: string): string => `api/${path}?s=${encodeURIComponent(token)}`

async function call(path: string, options: RequestInit = {}): Promise<State> {
  let response: Response
  try {
    response = await fetch(address(path), { ...options, signal: AbortSignal.timeout(PATIENCE) })
    if (response.ok) return (await response.json()) as State
  } catch {
    throw new Problem('the server does not answer', 0)
  }
  let text = response.statusText || `status ${response.status}`
  try {
    text = ((await response.json()) as Failed).error
  } catch {
    // not from our server: its status says enough
  }
  throw new Problem(text, response.status)
}

export const state = (): Promise<State> => call('state')
export const consent = (): Promise<State> => call('consent', { method: 'POST' })
export const finish = (): Promise<State> => call('finish', { method: 'POST' })
export const withdraw = (): Promise<State> => call('withdraw', { method: 'POST' })
export const sound = (id: string): string => address(`sound/${encodeURIComponent(id)}`)

/** Also as the page closes. */
export const answer = (said: Said): Promise<State> =>
  call('answer', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(said),
    keepalive: true,
  })
