// A subject's progress and actions. The page reads the answers from the server at the start, and again when the server
// refuses a request; in between, its own copy counts.
import * as http from './http'
import { Problem } from './http'
import { Outbox, shelf } from './outbox'
import type { AnswerRequest, Aspect, Change, Part, Played, Ratings, State, Trial } from './types'

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

const emptyAnswer = (): Answer => ({
  changed: null,
  ratings: { rhythm: null, melody: null, harmony: null, naturalness: null },
  played: { original: 0, transformed: 0, seconds: 0 },
})

export const bothPlayed = (answer: Answer): boolean => answer.played.original > 0 && answer.played.transformed > 0

/** The questions without an answer. */
export const missing = (answer: Answer): Question[] => [
  ...(answer.changed ? [] : (['changed'] as const)),
  ...ASPECTS.map(([aspect]) => aspect).filter((aspect) => !answer.ratings[aspect]),
]

/** The stored answer to a trial, with the parts that the server has not received yet. */
function answered(trial: Trial, waiting: readonly AnswerRequest[]): Answer {
  const answer = emptyAnswer()
  const stored = trial.answer
  if (stored) {
    answer.changed = stored.changed ?? null
    answer.ratings = { ...stored.ratings }
    answer.played = { ...stored.played }
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
  at = $state(0) // 0: the practice trial; n: the n-th trial of this subject
  busy = $state(false)
  online = $state(true)
  waiting: readonly AnswerRequest[] = $state.raw([])
  problem = $state('')
  notice = $state('')

  private readonly outbox = new Outbox(
    http.answer,
    shelf(`fadernets-listening ${http.token}`),
    () => this.readOutbox(),
    (problem) => void this.refused(problem),
  )
  private visibleSince: number | null = null // milliseconds

  readonly trials: Trial[] = $derived(this.state ? [this.state.practice, ...this.state.trials] : [])
  readonly trial: Trial | undefined = $derived(this.trials[this.at])
  readonly total: number = $derived(this.trials.length - 1)
  /** The index of the first trial without a complete answer; the number of trials if all have one. */
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

  /** Read the subject's progress, and go on there. */
  async read(): Promise<void> {
    const state = await this.request(http.state)
    this.place = state ? 'loading' : 'closed'
    if (state) this.goOn(state)
  }

  async consent(): Promise<void> {
    const state = await this.request(http.consent)
    if (state) this.goOn(state)
  }

  async finish(): Promise<void> {
    this.tick()
    await this.outbox.flush()
    if (this.waiting.length) return
    const state = await this.request(http.finish)
    if (state) this.goOn(state)
  }

  /** Withdraw. Returns whether everything was deleted. */
  async withdraw(): Promise<boolean> {
    const state = await this.request(http.withdraw)
    if (!state) return false
    this.place = 'withdrawn' // set first, so that a late answer is ignored
    this.outbox.clear()
    this.state = state
    return true
  }

  beginAgain(): void {
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

  /** A sound was played to its end. */
  played(part: Part): void {
    this.of(this.trial!).played[part] += 1
    this.put({})
  }

  go(to: number): void {
    if (this.place === 'trial' && this.trial && this.of(this.trial).played.original) this.put({})
    this.problem = this.notice = ''
    this.place = to < this.trials.length ? 'trial' : 'end'
    this.at = Math.min(to, this.trials.length - 1)
    this.visibleSince = null
    this.tick()
  }

  /** Add the time for which the trial has been visible. */
  tick(): void {
    const now = performance.now()
    const visible = this.place === 'trial' && document.visibilityState === 'visible'
    if (this.visibleSince !== null && this.trial) this.of(this.trial).played.seconds += (now - this.visibleSince) / 1000
    this.visibleSince = visible ? now : null
  }

  mark(trial: Trial, question: Question): Mark {
    const answer = this.of(trial)
    if (!(question === 'changed' ? answer.changed : answer.ratings[question])) return ''
    const waits = this.waiting.some(
      (part) => part.trial === trial.id && (question === 'changed' ? part.changed : part.ratings?.[question]),
    )
    return !waits ? 'saved' : this.online ? 'saving' : 'kept'
  }

  retry(): void {
    if (this.place === 'closed' && http.token) void this.start()
    else if (this.waiting.length) void this.outbox.flush()
  }

  private put(part: Omit<AnswerRequest, 'trial'>): void {
    this.tick()
    const { original, transformed, seconds } = this.of(this.trial!).played
    this.outbox.put({ trial: this.trial!.id, ...part, played: { original, transformed, seconds: Math.round(seconds * 10) / 10 } })
  }

  private readOutbox(): void {
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

  /** The server refused an answer, because the subject has gone on with another device. */
  private async refused(problem: Problem): Promise<void> {
    if (this.place === 'withdrawn') return
    this.outbox.clear()
    await this.read()
    this.problem = problem.message
  }

  private async request(call: () => Promise<State>): Promise<State | null> {
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
