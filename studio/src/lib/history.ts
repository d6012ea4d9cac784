// Undo, redo and named snapshots of any state. Pure: every function returns a new history.

export interface History<T> {
  readonly past: readonly T[]
  readonly now: T
  readonly future: readonly T[]
}

export const MOST = 200

export const begin = <T>(now: T): History<T> => ({ past: [], now, future: [] })

/** Add a state as a step and drop what was undone; an equal state adds no step. */
export function write<T>(history: History<T>, now: T): History<T> {
  if (same(history.now, now)) return history
  return { past: [...history.past, history.now].slice(-MOST), now, future: [] }
}

/** Replace the newest state, as when a key that moves a fader is pressed once more. */
export function amend<T>(history: History<T>, now: T): History<T> {
  return { ...history, now, future: [] }
}

export function undo<T>(history: History<T>): History<T> {
  const before = history.past.at(-1)
  if (before === undefined) return history
  return { past: history.past.slice(0, -1), now: before, future: [history.now, ...history.future] }
}

export function redo<T>(history: History<T>): History<T> {
  const [next, ...rest] = history.future
  if (next === undefined) return history
  return { past: [...history.past, history.now], now: next, future: rest }
}

export interface Snapshot<T> {
  name: string
  state: T
}

/** Keep a state under a name; it replaces an earlier one of the same name. */
export function keep<T>(list: readonly Snapshot<T>[], name: string, state: T): Snapshot<T>[] {
  const trimmed = name.trim() || `Snapshot ${list.length + 1}`
  return [...list.filter((one) => one.name !== trimmed), { name: trimmed, state }]
}

export const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b)

/** The history with every state read anew. */
export const mapped = <T>(history: History<T>, read: (state: T) => T): History<T> => ({
  past: history.past.map(read),
  now: read(history.now),
  future: history.future.map(read),
})
