// Where the faders are, and the request that follows from it. Values are in the attributes' own units. Pure.
import type { AttributeInfo, EditResponse, FadersRequest, PieceInfo, Value } from '../../lib/types'
import { text } from '../../lib/values'

export interface Preset {
  name: string
  amount: number
}

/** The state that undo steps through. Numbers are what the faders show: the mean that is asked of the piece. */
export interface Faders {
  values: Record<string, number | string> // attribute -> requested value; the others are at rest
  absolute: string[] // attributes with one value in all bars; the others move each bar from its own value
  perBar: Record<string, Record<number, number>>
  preset: Preset | null
  hold: string[] // attributes that the preset leaves alone
  faithfulness: number
  bars: [number, number] | null // edit these alone
  locked: number[]
  seed: number
  variation: { index: number; count: number } | null
}

export const REST: Faders = {
  values: {},
  absolute: [],
  perBar: {},
  preset: null,
  hold: [],
  faithfulness: 1,
  bars: null,
  locked: [],
  seed: 0,
  variation: null,
}

/** Whether no fader asks for a change. */
export function atRest(faders: Faders): boolean {
  const values = Object.keys(faders.values).length + Object.keys(faders.perBar).length
  return values === 0 && (faders.preset === null || faders.preset.amount === 0)
}

/** The request to the server. A fader moves relative to the piece's mean (`source`), each bar from its own value. */
export function requestOf(faders: Faders, source: Record<string, Value>): FadersRequest {
  const set: Record<string, number | string> = {}
  const move: Record<string, number> = {}
  for (const [name, value] of Object.entries(faders.values)) {
    const from = source[name]
    if (typeof value === 'string' || faders.absolute.includes(name) || typeof from !== 'number') set[name] = value
    else if (value !== from) move[name] = value - from
  }
  const perBar = Object.fromEntries(Object.entries(faders.perBar).filter(([name]) => !(name in set)))
  // the preset leaves faders alone that were moved by hand
  const hold = [...new Set([...faders.hold, ...Object.keys(faders.values)])]
  const preset = faders.preset && faders.preset.amount !== 0 ? { ...faders.preset, hold } : null
  return {
    set,
    move,
    per_bar: perBar,
    preset,
    faithfulness: faders.faithfulness,
    bars: faders.bars ? [faders.bars] : null,
    locked: faders.locked,
    seed: faders.seed,
    variation: faders.variation,
  }
}

/** What one fader shows. */
export interface Shown {
  source: Value // of the piece before the edit
  asked: Value // null: at rest
  measured: Value
  byPreset: boolean // whether the preset moved it
}

export function shown(row: AttributeInfo, faders: Faders, piece: PieceInfo, edited: EditResponse | null): Shown {
  const source = (faders.bars ? edited?.means.before[row.name] : undefined) ?? piece.means[row.name] ?? null
  const touched = faders.values[row.name]
  const byPreset = touched === undefined && edited !== null && row.name in edited.preset
  const asked = touched ?? (byPreset || row.name in faders.perBar ? (edited?.means.asked[row.name] ?? null) : null)
  return { source, asked, measured: edited?.means.measured[row.name] ?? source, byPreset }
}

/** Ranges narrower than the attribute's own: the values that music usually has. */
const SPANS: Record<string, [number, number]> = { note_density: [0, 8], pitch: [36, 96], syncopation: [0, 12], tempo: [30, 240] }

/** The range of a fader for a piece whose mean is `source`. */
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
export function spoken(name: string, shown: Shown): string {
  const parts = [`${name}: `]
  parts.push(shown.asked === null ? 'at rest' : `asked ${text(shown.asked)}${shown.byPreset ? ' by the preset' : ''}`)
  parts.push(`, measured ${text(shown.measured)}, the piece has ${text(shown.source)}`)
  return parts.join('')
}
