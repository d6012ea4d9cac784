// Answers on their way: sent one after the other, in order; kept in this browser until the server has them.
import { Problem } from './http'
import type { Said } from './types'

const SOONEST = 1000 // ms, until a first new try
const LATEST = 15_000

/** Where what waits is kept over a reload. */
export interface Shelf {
  load(): string | null
  save(text: string | null): void
}

export const shelf = (key: string): Shelf => ({
  load() {
    try {
      return localStorage.getItem(key)
    } catch {
      return null // this browser keeps nothing
    }
  },
  save(text) {
    try {
      if (text === null) localStorage.removeItem(key)
      else localStorage.setItem(key, text)
    } catch {
      // it stays in memory
    }
  },
})

/** Both as one: what `later` says of something counts. */
export function merged(said: Said, later: Said): Said {
  const one: Said = { ...said, ...later }
  if (said.ratings || later.ratings) one.ratings = { ...said.ratings, ...later.ratings }
  if (said.played || later.played) one.played = (later.played ?? said.played)!
  return one
}

export class Outbox {
  private line: Said[]
  private sending = false
  private wait = SOONEST
  private timer: ReturnType<typeof setTimeout> | undefined
  private waiters: (() => void)[] = []
  online = true

  constructor(
    private readonly send: (said: Said) => Promise<unknown>,
    private readonly place: Shelf,
    private readonly onChange: () => void,
    private readonly onRefused: (problem: Problem) => void,
  ) {
    this.line = restored(place.load())
  }

  /** What the server has not confirmed, oldest first. */
  get waiting(): readonly Said[] {
    return this.line
  }

  put(said: Said): void {
    const last = this.line.at(-1)
    const free = !this.sending || this.line.length > 1 // the first is on its way
    if (last?.trial === said.trial && free) this.line[this.line.length - 1] = merged(last, said)
    else this.line.push(said)
    this.changed()
    if (this.online) void this.flush()
  }

  /** Send what waits, now. Ends when all is sent, or with the first try that found nobody. */
  async flush(): Promise<void> {
    if (this.sending) return new Promise((resolve) => this.waiters.push(resolve))
    clearTimeout(this.timer)
    this.sending = true
    while (this.line.length) {
      const said = this.line[0]!
      try {
        await this.send(said)
      } catch (error) {
        const problem = error instanceof Problem ? error : new Problem(String(error), 0)
        if (problem.passing) {
          if (this.line.length) this.later()
          break
        }
        this.onRefused(problem)
      }
      this.online = true
      this.wait = SOONEST
      if (this.line[0] === said) this.line.shift()
      this.changed()
    }
    this.sending = false
    for (const done of this.waiters.splice(0)) done()
  }

  /** Forget what waits. */
  clear(): void {
    this.line = []
    clearTimeout(this.timer)
    this.online = true
    this.changed()
  }

  private later(): void {
    this.online = false
    this.timer = setTimeout(() => void this.flush(), this.wait)
    this.wait = Math.min(this.wait * 2, LATEST)
    this.changed()
  }

  private changed(): void {
    this.place.save(this.line.length ? JSON.stringify(this.line) : null)
    this.onChange()
  }
}

function restored(text: string | null): Said[] {
  try {
    const found: unknown = JSON.parse(text ?? '[]')
    return Array.isArray(found) ? found.filter((said): said is Said => typeof said?.trial === 'string') : []
  } catch {
    return []
  }
}
