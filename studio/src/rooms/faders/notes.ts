// How locks name single notes: bar.beat:pitch, of notes that the source has. Pure.
import { barAt, beatTicks, keyOf, type Note } from '../../lib/score'
import type { PieceInfo } from '../../lib/types'

/** The places of some notes, and how many of them the source does not have, which no lock can name. */
export function placesOf(notes: readonly Note[], source: readonly Note[], piece: Pick<PieceInfo, 'bars' | 'metre' | 'tpq'>): { places: string[]; fresh: number } {
  const known = new Set(source.map(keyOf))
  const own = notes.filter((note) => known.has(keyOf(note)))
  const places = own.map((note) => {
    const bar = barAt(piece.bars, note.onset)
    const start = piece.bars[bar - 1]!
    const beat = 1 + Math.floor((note.onset - start) / beatTicks(piece.metre, start, piece.tpq) + 1e-9)
    return `${bar}.${beat}:${note.pitch}`
  })
  return { places: [...new Set(places)], fresh: notes.length - own.length }
}
