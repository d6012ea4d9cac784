// Attribute values as numbers and as text. Pure.
import type { Value } from './types'

export const clamp = (value: number, low: number, high: number): number => Math.min(Math.max(value, low), high)

/** Bytes in MB, rounded up so that too many do not look like the most. */
export const megabytes = (bytes: number): string => `${Math.ceil((100 * bytes) / 2 ** 20) / 100} MB`

/** A value as the page shows it: a dash for a missing one, signs for flats and sharps, few digits. */
export function text(value: Value, digits = 2): string {
  if (value === null || value === undefined) return '–'
  if (typeof value === 'string') return value.replace('-flat', '♭').replace('-sharp', '♯')
  return Number.isInteger(value) ? String(value) : value.toFixed(Math.abs(value) >= 20 ? 1 : digits)
}
