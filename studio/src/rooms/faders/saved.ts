// Work as a file: the JSON that the page downloads holds the piece with its layers and snapshots, and opens again in any
// browser and on any server. What is read is checked, since a file can hold anything. Pure.
import type { Snapshot } from '../../lib/history'
import { PARTS, type Layers } from './regions'

export interface Saved {
  piece: string // by which its server knew it
  title: string
  file: Uint8Array<ArrayBuffer> // the piece, as it was opened
  model: string
  layers: Layers
  snapshots: Snapshot<Layers>[]
}

const VERSION = 1

/** A report with the work in it, as text. */
export function withWork(report: string, { file, ...work }: Saved): string {
  const read: unknown = JSON.parse(report)
  return `${JSON.stringify({ ...(read as object), work: { version: VERSION, ...work, file: base64(file) } }, null, 1)}\n`
}

/** The work in a downloaded JSON file. Throws an Error that says what the file is not. */
export function readWork(text: string): Saved {
  let read: unknown
  try {
    read = JSON.parse(text)
  } catch {
    throw new Error('this is no JSON file')
  }
  const work = isObject(read) ? read.work : undefined
  if (!isObject(work)) throw new Error('no work is in it: only the JSON that this page downloads opens here')
  if (typeof work.version === 'number' && work.version > VERSION) throw new Error('it was saved by a newer version')
  if (!isWork(work)) throw new Error('the work in it cannot be read')
  const { piece, title, model, layers, snapshots } = work
  return { piece, title, model, layers, snapshots, file: bytes(work.file) }
}

function base64(data: Uint8Array): string {
  const parts: string[] = []
  for (let at = 0; at < data.length; at += 8192) parts.push(String.fromCharCode(...data.subarray(at, at + 8192)))
  return btoa(parts.join(''))
}

function bytes(text: string): Uint8Array<ArrayBuffer> {
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0))
  } catch {
    throw new Error('the piece in it cannot be read')
  }
}

// --- what a work must look like

type Check = (value: unknown) => boolean

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value)
const isText: Check = (value) => typeof value === 'string'
const isFlag: Check = (value) => typeof value === 'boolean'
const isNumber: Check = (value) => typeof value === 'number' && Number.isFinite(value)
const isCount: Check = (value) => Number.isSafeInteger(value) && (value as number) >= 0
const orNull = (of: Check): Check => (value) => value === null || of(value)
const listOf = (of: Check): Check => (value) => Array.isArray(value) && value.every(of)
const recordOf = (of: Check, key: Check = isText): Check => (value) =>
  isObject(value) && Object.entries(value).every(([name, one]) => key(name) && of(one))
const shaped = (fields: Record<string, Check>): Check => (value) => isObject(value) && Object.entries(fields).every(([name, of]) => of(value[name]))

const isBars: Check = (value) => listOf(isCount)(value) && (([first, last, more]: number[]) => first! >= 1 && last! >= first! && more === undefined)(value as number[])
const isBarNumber: Check = (key) => /^[1-9]\d*$/.test(key as string)
const isFaders = shaped({
  values: recordOf((value) => isNumber(value) || isText(value)),
  moves: recordOf(isNumber),
  perBar: recordOf(recordOf(isNumber, isBarNumber)),
  preset: orNull(shaped({ name: isText, amount: isNumber })),
  hold: listOf(isText),
  faithfulness: isNumber,
  seed: isCount,
  variation: orNull(shaped({ index: isCount, count: isCount })),
})
const isLayers = shaped({
  regions: listOf(
    shaped({ id: isCount, name: isText, bypass: isFlag, bars: orNull(isBars), lane: orNull(isText), faders: isFaders, locked: listOf(isCount) }),
  ),
  keeps: listOf(shaped({ part: (value) => (PARTS as readonly unknown[]).includes(value), bars: orNull(isBars) })),
  notes: listOf(isText),
  lanes: listOf(isText),
  frozen: recordOf(shaped({ rows: listOf((row) => listOf(isCount)(row) && (row as unknown[]).length === 5), differs: isFlag }), isBarNumber),
})

type Work = Omit<Saved, 'file'> & { file: string }
const isWork = (value: unknown): value is Work =>
  shaped({ piece: isText, title: isText, file: isText, model: isText, layers: isLayers, snapshots: listOf(shaped({ name: isText, state: isLayers })) })(value)
