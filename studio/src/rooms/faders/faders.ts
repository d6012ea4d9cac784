// The faders of one layer, and the request that follows from them. Values are in the attributes' own units. Pure.
import type { AttributeInfo, FadersRequest, Value } from '../../lib/types'
import { text } from '../../lib/values'

export interface Preset {
  name: string
  amount: number
}

/** Where the faders of one layer are. Those that are not named are at rest. */
export interface Faders {
  values: Record<string, number | string> // attribute -> one value in all bars
  moves: Record<string, number> // attribute -> change of each bar's own value
  perBar: Record<string, Record<number, number>>
  preset: Preset | null
  hold: string[] // attributes that the preset leaves alone
  faithfulness: number
  seed: number
  variation: { index: number; count: number } | null
}

export const REST: Faders = { values: {}, moves: {}, perBar: {}, preset: null, hold: [], faithfulness: 1, seed: 0, variation: null }

/** Whether no fader asks for a change. */
export function atRest(faders: Faders): boolean {
  const moved = [faders.values, faders.moves, faders.perBar].some((one) => Object.keys(one).length > 0)
  return !moved && (faders.preset === null || faders.preset.amount === 0)
}

export const isMoved = (faders: Faders, name: string): boolean => name in faders.values || name in faders.moves

const without = <T>(all: Record<string, T>, name: string): Record<string, T> =>
  Object.fromEntries(Object.entries(all).filter(([other]) => other !== name))

/** Faders with one moved to a value, or back at rest. before: what the bars measure without the move. Each bar moves from
 * its own value, unless the fader has one value for all, is a choice of names, or the bars measure nothing. */
export function moved(faders: Faders, name: string, value: number | string | null, before: Value): Faders {
  const next = { ...faders, variation: null }
  if (value === null) return { ...next, values: without(faders.values, name), moves: without(faders.moves, name) }
  if (typeof value === 'string' || name in faders.values || typeof before !== 'number') {
    return { ...next, values: { ...faders.values, [name]: value }, moves: without(faders.moves, name) }
  }
  return { ...next, moves: { ...faders.moves, [name]: value - before } }
}

/** Give all bars the value of a fader, or move each bar from its own again. */
export function toggledAbsolute(faders: Faders, name: string, before: Value): Faders {
  const own = typeof before === 'number' ? before : 0
  if (name in faders.values) {
    return { ...faders, values: without(faders.values, name), moves: { ...faders.moves, [name]: Number(faders.values[name]) - own } }
  }
  return { ...faders, moves: without(faders.moves, name), values: { ...faders.values, [name]: own + (faders.moves[name] ?? 0) } }
}

/** The request for these faders. The preset leaves alone what was moved by hand; a curve gives way to a value for all bars. */
export function requestOf(faders: Faders): Partial<FadersRequest> {
  const hold = [...new Set([...faders.hold, ...Object.keys(faders.values), ...Object.keys(faders.moves)])]
  return {
    set: faders.values,
    move: Object.fromEntries(Object.entries(faders.moves).filter(([, by]) => by !== 0)),
    per_bar: Object.fromEntries(Object.entries(faders.perBar).filter(([name]) => !(name in faders.values))),
    preset: faders.preset && faders.preset.amount !== 0 ? { ...faders.preset, hold } : null,
    faithfulness: faders.faithfulness,
    seed: faders.seed,
    variation: faders.variation,
  }
}

/** What the bars of a layer measured before it, what was asked of them, and what they measure. */
export interface Means {
  before: Record<string, Value>
  asked: Record<string, Value>
  measured: Record<string, Value>
  preset: Record<string, string> // the faders that the preset moved
  of?: [number, number] | null // the bars that asked and measured speak of, where these are not all
}

/** What one fader shows. */
export interface Shown {
  source: Value // before the layer
  asked: Value // null: at rest
  measured: Value
  byPreset: boolean // whether the preset moved it
}

export function shown(row: AttributeInfo, faders: Faders, means: Means): Shown {
  const { name } = row
  const source = means.before[name] ?? null
  const byPreset = !isMoved(faders, name) && name in means.preset
  let asked: Value = faders.values[name] ?? null
  if (name in faders.moves && typeof source === 'number') asked = source + faders.moves[name]!
  else if (byPreset || name in faders.perBar) asked ??= means.asked[name] ?? null
  return { source, asked, measured: means.measured[name] ?? source, byPreset }
}

/** Ranges narrower than the attribute's own: the values that music usually has. */
const SPANS: Record<string, [number, number]> = { note_density: [0, 8], pitch: [36, 96], syncopation: [0, 12], tempo: [30, 240] }

/** The range of a fader for bars whose mean is `source`. */
export function span(row: AttributeInfo, source: Value): [number, number] {
  const [low, high] = SPANS[row.name] ?? [row.low, row.high]
  return typeof source === 'number' ? [Math.min(low, source), Math.max(high, source)] : [low, high]
}

/** The step of a fader: about a hundredth of its range, in round numbers. */
export function step(row: AttributeInfo): number {
  const [low, high] = SPANS[row.name] ?? [row.low, row.high]
  return 10 ** Math.floor(Math.log10((high - low) / 100)) * (high - low > 20 ? 5 : 1)
}

/** A fader in words, for a screen reader. */
export function spoken(name: string, shown: Shown, of: [number, number] | null = null): string {
  const parts = [`${name}: `]
  parts.push(shown.asked === null ? 'at rest' : `asked ${text(shown.asked)}${shown.byPreset ? ' by the preset' : ''}`)
  parts.push(`, measured ${text(shown.measured)}${of ? ` in bars ${of[0]} to ${of[1]}` : ''}, the piece has ${text(shown.source)}`)
  return parts.join('')
}

/** The faders in the groups in which a musician looks for them; those of plugins come last. */
export function grouped(rows: readonly AttributeInfo[]): [string, AttributeInfo[]][] {
  const groups: [string, string[]][] = [
    ['Density', ['rhythm_density', 'note_density', 'syncopation']],
    ['Harmony', ['pitch', 'key']],
    ['Performance', ['dynamics', 'articulation', 'tempo']],
  ]
  const known = groups.flatMap(([, names]) => names)
  const found = groups.map(([title, names]): [string, AttributeInfo[]] => [title, rows.filter((row) => names.includes(row.name))])
  return [...found, ['More', rows.filter((row) => !known.includes(row.name))] as [string, AttributeInfo[]]].filter(([, list]) => list.length)
}
