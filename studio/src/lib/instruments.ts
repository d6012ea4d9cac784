// Which sounds there are: General MIDI's programs and drums, the pianos of which one sampled piano plays. Pure.
export const DRUMS = 9 // channel 10, counted from 0
export const PIANOS = 4 // the first programs

/** A message as the bundled sounds take it: pianos are one, drums have no programs; null for none. */
export function playable(message: readonly number[]): number[] | null {
  const [status = 0, first = 0] = message
  if (status >> 4 !== 0xc) return [...message]
  if ((status & 15) === DRUMS) return null
  return [status, first < PIANOS ? 0 : first]
}
