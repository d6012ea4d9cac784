// Where a subject stands, and what they do. Answers are the page's own once it has begun: what the server says is read
// at the start, and when it refuses something.
import * as http from './http'
import { Problem } from './http'
import { Outbox, shelf } from './outbox'
import type { Aspect, Change, Part, Played, Ratings, Said, State, Trial } from './types'

export const CHANGES: [Change, string][] = [['up', 'Yes, more'], ['down', 'Yes, less'], ['none', 'No change']]
export const ASPECTS: [Aspect, string][] = [
  ['rhythm', 'Rhythm'],
  ['melody', 'Melody'],
  ['harmony', 'Harmony'],
  ['naturalness', 'Naturalness'],
]
export const SCALE = [1, 2, 3, 4, 5]
const NO_LINK = 'This address lacks the part that tells who you are. Please open the whole link that you were given.'

export type Place = 'loading' | 'closed' | 'consent' | 'trial' | 'end' | 'thanks' | 'withdrawn'
export type Mark = '' | 'saving' | 'kept' | 'saved'
export type Question = 'changed' | Aspect

export interface Answer {
  changed: Change | null
  ratings: Ratings
  played: Played
}

const nothing = (): Answer => ({
  changed: null,
  ratings: { rhythm: null, melody: null, harmony: null, naturalness: null },
  played: { original: 0, transformed: 0, seconds: 0 },
})

export const heard = (answer: Answer): boolean => answer.played.original > 0 && answer.played.transformed > 0

/** What is still to be answered. */
export const missing = (answer: Answer): Question[] => [
  ...(answer.changed ? [] : (['changed'] as const)),
  ...ASPECTS.map(([aspect]) => aspect).filter((aspect) => !answer.ratings[aspect]),
]

/** What was read, with what the server has not got yet. */
function answered(trial: Trial, waiting: readonly Said[]): Answer {
  const answer = nothing()
  const said = trial.answer
  if (said) {
    answer.changed = said.changed ?? null
    answer.ratings = { ...said.ratings }
    answer.played = { ...said.played }
  }
  for (const later of waiting) {
    if (later.trial !== trial.id) continue
    answer.changed = later.changed ?? answer.changed
    Object.assign(answer.ratings, later.ratings)
    for (const [what, number] of Object.entries(later.played ?? {})) {
      answer.played[what as keyof Played] = Math.max(answer.played[what as keyof Played], number)
    }
  }
  return answer
}

export class Room {
  place: Place = $state('loading')
  state: State | null = $state(null)
  answers: Record<string, Answer> = $state({})
  at = $state(0) // 0: practice; n: the subject's n-th trial
  busy = $state(false)
  online = $state(true)
  waiting: readonly Said[] = $state.raw([])
  problem = $state('')
  notice = $state('')

  private readonly outbox = new Outbox(
    http.answer,
    shelf(`fadernets-listening ${http.token}`),
    () => this.look(),
    (problem) => void this.refused(problem),
  )
  private since: number | null = null // when the trial came in sight, ms

  readonly trials: Trial[] = $derived(this.state ? [this.state.practice, ...this.state.trials] : [])
  readonly trial: Trial | undefined = $derived(this.trials[this.at])
  readonly total: number = $derived(this.trials.length - 1)
  /** The first that is not answered in full; behind the last where all are. */
  readonly open: number = $derived.by(() => {
    const first = this.trials.findIndex((trial) => missing(this.of(trial)).length > 0)
    return first < 0 ? this.trials.length : first
  })

  of(trial: Trial): Answer {
    return this.answers[trial.id]!
  }

  async start(): Promise<void> {
    if (!http.token) {
      this.place = 'closed'
      this.problem = NO_LINK
      return
    }
    await this.read()
    if (this.place !== 'closed') void this.outbox.flush()
  }

  /** Read where the subject stands, and go on there. */
  async read(): Promise<void> {
    const state = await this.asked(http.state)
    this.place = state ? 'loading' : 'closed'
    if (state) this.goOn(state)
  }

  async consent(): Promise<void> {
    const state = await this.asked(http.consent)
    if (state) this.goOn(state)
  }

  async finish(): Promise<void> {
    this.tick()
    await this.outbox.flush()
    if (this.waiting.length) return
    const state = await this.asked(http.finish)
    if (state) this.goOn(state)
  }

  /** Whether all was deleted. */
  async withdraw(): Promise<boolean> {
    const state = await this.asked(http.withdraw)
    if (!state) return false
    this.place = 'withdrawn' // first, so that an answer that came too late says nothing
    this.outbox.clear()
    this.state = state
    return true
  }

  again(): void {
    if (this.state) this.goOn(this.state)
  }

  change(to: Change): void {
    this.of(this.trial!).changed = to
    this.put({ changed: to })
  }

  rate(aspect: Aspect, value: number): void {
    this.of(this.trial!).ratings[aspect] = value
    this.put({ ratings: { [aspect]: value } })
  }

  /** A sound was played through. */
  played(part: Part): void {
    this.of(this.trial!).played[part] += 1
    this.put({})
  }

  go(to: number): void {
    if (this.place === 'trial' && this.trial && this.of(this.trial).played.original) this.put({})
    this.problem = this.notice = ''
    this.place = to < this.trials.length ? 'trial' : 'end'
    this.at = Math.min(to, this.trials.length - 1)
    this.since = null
    this.tick()
  }

  /** Count the time that the trial was in sight until now. */
  tick(): void {
    const now = performance.now()
    const seen = this.place === 'trial' && document.visibilityState === 'visible'
    if (this.since !== null && this.trial) this.of(this.trial).played.seconds += (now - this.since) / 1000
    this.since = seen ? now : null
  }

  mark(trial: Trial, question: Question): Mark {
    const answer = this.of(trial)
    if (!(question === 'changed' ? answer.changed : answer.ratings[question])) return ''
    const waits = this.waiting.some(
      (said) => said.trial === trial.id && (question === 'changed' ? said.changed : said.ratings?.[question]),
    )
    return !waits ? 'saved' : this.online ? 'saving' : 'kept'
  }

  retry(): void {
    if (this.place === 'closed' && http.token) void this.start()
    else if (this.waiting.length) void this.outbox.flush()
  }

  private put(said: Omit<Said, 'trial'>): void {
    this.tick()
    const { original, transformed, seconds } = this.of(this.trial!).played
    this.outbox.put({ trial: this.trial!.id, ...said, played: { original, transformed, seconds: Math.round(seconds * 10) / 10 } })
  }

  private look(): void {
    this.waiting = [...this.outbox.waiting]
    if (!this.online && this.outbox.online && !this.waiting.length) this.notice = 'The connection is back. All your answers are stored.'
    this.online = this.outbox.online
  }

  private goOn(state: State): void {
    const waiting = this.outbox.waiting
    this.answers = Object.fromEntries([state.practice, ...state.trials].map((trial) => [trial.id, answered(trial, waiting)]))
    this.waiting = [...waiting]
    this.state = state
    if (state.finished) this.place = 'thanks'
    else if (!state.consent) this.place = 'consent'
    else this.go(this.open)
  }

  /** The server holds other things than this page thought: another device went on. */
  private async refused(problem: Problem): Promise<void> {
    if (this.place === 'withdrawn') return
    this.outbox.clear()
    await this.read()
    this.problem = problem.message
  }

  private async asked(call: () => Promise<State>): Promise<State | null> {
    this.busy = true
    this.problem = ''
    try {
      return await call()
    } catch (error) {
      const known = error instanceof Problem
      if (known && error.status === 0) this.problem = 'The server cannot be reached. Please check your connection and try again.'
      else this.problem = known ? error.message : String(error)
      return null
    } finally {
      this.busy = false
    }
  }
}
