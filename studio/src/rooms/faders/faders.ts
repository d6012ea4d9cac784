// Where the faders are, and what that asks of the server. Values are in the attributes' own units. Pure.
import type { AttributeInfo, Edited, FadersAsked, PieceInfo, Value } from '../../lib/types'
import { text } from '../../lib/values'

export interface Preset {
  name: string
  amount: number
}

/** The state that undo steps through. Numbers are what the faders show: the mean that is asked of the piece. */
export interface Faders {
  values: Record<string, number | string> // attribute -> asked; those not here are at rest
  absolute: string[] // attributes whose bars all get the one value; the others move from each bar's own
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

/** Whether nothing asks for a change. */
export function atRest(faders: Faders): boolean {
  const values = Object.keys(faders.values).length + Object.keys(faders.perBar).length
  return values === 0 && (faders.preset === null || faders.preset.amount === 0)
}

/** What the server is asked. A fader's move is from the piece's own mean, so that each bar moves from its own level. */
export function asked(faders: Faders, own: Record<string, Value>): FadersAsked {
  const set: Record<string, number | string> = {}
  const move: Record<string, number> = {}
  for (const [name, value] of Object.entries(faders.values)) {
    const from = own[name]
    if (typeof value === 'string' || faders.absolute.includes(name) || typeof from !== 'number') set[name] = value
    else if (value !== from) move[name] = value - from
  }
  const perBar = Object.fromEntries(Object.entries(faders.perBar).filter(([name]) => !(name in set)))
  // what was moved by hand stays where it was put
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
  own: Value // the piece's
  asked: Value // null: at rest
  measured: Value
  implied: boolean // by the preset
}

export function shown(row: AttributeInfo, faders: Faders, piece: PieceInfo, edited: Edited | null): Shown {
  const own = (faders.bars ? edited?.means.before[row.name] : undefined) ?? piece.means[row.name] ?? null
  const touched = faders.values[row.name]
  const implied = touched === undefined && edited !== null && row.name in edited.preset
  const wanted = touched ?? (implied || row.name in faders.perBar ? (edited?.means.asked[row.name] ?? null) : null)
  return { own, asked: wanted, measured: edited?.means.measured[row.name] ?? own, implied }
}

/** The range a fader has for a piece: the attribute's own, narrowed to what music has. */
const SPANS: Record<string, [number, number]> = { note_density: [0, 8], pitch: [36, 96], syncopation: [0, 12], tempo: [30, 240] }

export function span(row: AttributeInfo, own: Value): [number, number] {
  const [low, high] = SPANS[row.name] ?? [row.low, row.high]
  return typeof own === 'number' ? [Math.min(low, own), Math.max(high, own)] : [low, high]
}

/** The step of a fader: a hundredth of its range, in round numbers, or a key of the keyboard's. */
export function step(row: AttributeInfo): number {
  const [low, high] = SPANS[row.name] ?? [row.low, row.high]
  return 10 ** Math.floor(Math.log10((high - low) / 100)) * (high - low > 20 ? 5 : 1)
}

/** Two faders in words, for a screen reader. */
export function spoken(name: string, shown: Shown): string {
  const parts = [`${name}: `]
  parts.push(shown.asked === null ? 'at rest' : `asked ${text(shown.asked)}${shown.implied ? ' by the preset' : ''}`)
  parts.push(`, measured ${text(shown.measured)}, the piece has ${text(shown.own)}`)
  return parts.join('')
}
