// Answers to be sent, one after the other and in order; this browser stores them until the server has confirmed them.
import { Problem } from './http'
import type { AnswerRequest } from './types'

const FIRST_DELAY = 1000 // milliseconds before the first new try
const LONGEST_DELAY = 15_000

/** Where waiting answers are stored over a reload. */
export interface Shelf {
  load(): string | null
  save(text: string | null): void
}

export const shelf = (key: string): Shelf => ({
  load() {
    try {
      return localStorage.getItem(key)
    } catch {
      return null // this browser stores nothing
    }
  },
  save(text) {
    try {
      if (text === null) localStorage.removeItem(key)
      else localStorage.setItem(key, text)
    } catch {
      // the answers stay in memory
    }
  },
})

/** Two parts of an answer as one; where both have a value, the one of `later` counts. */
export function merged(earlier: AnswerRequest, later: AnswerRequest): AnswerRequest {
  const one: AnswerRequest = { ...earlier, ...later }
  if (earlier.ratings || later.ratings) one.ratings = { ...earlier.ratings, ...later.ratings }
  if (earlier.played || later.played) one.played = (later.played ?? earlier.played)!
  return one
}

export class Outbox {
  private queue: AnswerRequest[]
  private sending = false
  private delay = FIRST_DELAY
  private timer: ReturnType<typeof setTimeout> | undefined
  private waiters: (() => void)[] = []
  online = true

  constructor(
    private readonly send: (part: AnswerRequest) => Promise<unknown>,
    private readonly place: Shelf,
    private readonly onChange: () => void,
    private readonly onRefused: (problem: Problem) => void,
  ) {
    this.queue = restored(place.load())
  }

  /** Parts of answers that the server has not confirmed, the oldest first. */
  get waiting(): readonly AnswerRequest[] {
    return this.queue
  }

  put(part: AnswerRequest): void {
    const last = this.queue.at(-1)
    const unsent = !this.sending || this.queue.length > 1 // the first is being sent
    if (last?.trial === part.trial && unsent) this.queue[this.queue.length - 1] = merged(last, part)
    else this.queue.push(part)
    this.changed()
    if (this.online) void this.flush()
  }

  /** Send the waiting answers now. It resolves when all are sent, or at the first try that no server answered. */
  async flush(): Promise<void> {
    if (this.sending) return new Promise((resolve) => this.waiters.push(resolve))
    clearTimeout(this.timer)
    this.sending = true
    while (this.queue.length) {
      const part = this.queue[0]!
      try {
        await this.send(part)
      } catch (error) {
        const problem = error instanceof Problem ? error : new Problem(String(error), 0)
        if (problem.passing) {
          if (this.queue.length) this.retryLater()
          break
        }
        this.onRefused(problem)
      }
      this.online = true
      this.delay = FIRST_DELAY
      if (this.queue[0] === part) this.queue.shift()
      this.changed()
    }
    this.sending = false
    for (const done of this.waiters.splice(0)) done()
  }

  /** Drop the waiting answers. */
  clear(): void {
    this.queue = []
    clearTimeout(this.timer)
    this.online = true
    this.changed()
  }

  private retryLater(): void {
    this.online = false
    this.timer = setTimeout(() => void this.flush(), this.delay)
    this.delay = Math.min(this.delay * 2, LONGEST_DELAY)
    this.changed()
  }

  private changed(): void {
    this.place.save(this.queue.length ? JSON.stringify(this.queue) : null)
    this.onChange()
  }
}

function restored(text: string | null): AnswerRequest[] {
  try {
    const found: unknown = JSON.parse(text ?? '[]')
    return Array.isArray(found) ? found.filter((part): part is AnswerRequest => typeof part?.trial === 'string') : []
  } catch {
    return []
  }
}
