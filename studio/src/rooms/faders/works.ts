// What was done to each piece, in this browser alone: its file, where the faders are, snapshots. The newest few.
import { load, remove, save } from '../../lib/store'
import type { Faders } from './faders'
import type { History, Snapshot } from '../../lib/history'

export const MOST = 12
const LIST = 'works'
const key = (piece: string): string => `work ${piece}`

export interface Name {
  piece: string
  title: string
}

export interface Work extends Name {
  data: ArrayBuffer | null // of an uploaded file: the server may have let go of it
  history: History<Faders>
  snapshots: Snapshot<Faders>[]
}

let last: Promise<unknown> = Promise.resolve()

/** What there is, the newest first. */
export const list = async (): Promise<Name[]> => (await load<Name[]>(LIST)) ?? []

export const workOn = (piece: string): Promise<Work | undefined> => load<Work>(key(piece))

/** Keep the newest state of a piece's work, and let go of that which was left alone longest; what there is now. */
export function keep(work: Work): Promise<Name[]> {
  const kept = last.then(async () => {
    const others = (await list()).filter((one) => one.piece !== work.piece)
    const names = [{ piece: work.piece, title: work.title }, ...others]
    await save(key(work.piece), work)
    await save(LIST, names.slice(0, MOST))
    for (const { piece } of names.slice(MOST)) await remove(key(piece))
    return names.slice(0, MOST)
  })
  last = kept
  return kept
}
