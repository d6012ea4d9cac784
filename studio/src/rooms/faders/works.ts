// The work on each piece, stored in this browser alone: its file, its layers and snapshots, of the newest few pieces.
import { load, remove, save } from '../../lib/store'
import type { Layers } from './regions'
import type { History, Snapshot } from '../../lib/history'

export const MOST = 12
const LIST = 'works'
const key = (piece: string): string => `work ${piece}`

export interface Name {
  piece: string
  title: string
}

export interface Work extends Name {
  data: ArrayBuffer | null // of an uploaded file, which the server may no longer hold
  history: History<Layers>
  snapshots: Snapshot<Layers>[]
}

let last: Promise<unknown> = Promise.resolve() // what is being stored

/** The stored pieces, the newest first. */
export const list = async (): Promise<Name[]> => (await load<Name[]>(LIST)) ?? []

/** The stored work on a piece, with what is just being stored of it. */
export async function workOn(piece: string): Promise<Work | undefined> {
  await last
  return load<Work>(key(piece))
}

/** Store the newest state of a piece's work, and drop the oldest beyond MOST. Returns the stored pieces; rejects where the
 * browser stores nothing, or no more. */
export function keep(work: Work): Promise<Name[]> {
  const stored = last.then(async () => {
    const others = (await list()).filter((one) => one.piece !== work.piece)
    const names = [{ piece: work.piece, title: work.title }, ...others]
    if (!(await save(key(work.piece), work)) || !(await save(LIST, names.slice(0, MOST)))) throw new Error('not stored')
    for (const { piece } of names.slice(MOST)) await remove(key(piece))
    return names.slice(0, MOST)
  })
  last = stored.catch(() => undefined)
  return stored
}
