// Regions as layers: faders of some bars and of one lane, each over what the earlier ones left; what is kept, and bars that
// are frozen as they are. This is the state that undo steps through. Pure.
import { atRest, REST, requestOf, type Faders } from './faders'
import { partsOf, type Lane } from './lanes'
import { ticksOf, type Held } from './frozen'
import { same } from '../../lib/history'
import type { RegionRequest, Value } from '../../lib/types'

export type Bars = [number, number] // first and last, from 1

/** Which notes faders move: those of some bars, or all; those of one lane, or all. */
export interface Scope {
  bars: Bars | null
  lane: string | null
}

export interface Region extends Scope {
  id: number
  name: string // '': it is called by its bars and lane
  bypass: boolean
  faders: Faders
  locked: number[] // bars that were frozen when its faders moved last, which it leaves alone
}

export const PARTS = ['melody', 'bass', 'harmony', 'rhythm'] as const
export type Part = (typeof PARTS)[number]

/** Something that no region changes, in some bars or in all. */
export interface Keep {
  part: Part
  bars: Bars | null
}

export interface Layers {
  regions: Region[]
  keeps: Keep[]
  notes: string[] // single notes that stay: bar.beat:pitch
  lanes: string[] // lanes that stay
  frozen: Record<number, Held> // bars that stay as they are, over all regions
}

export const EMPTY: Layers = { regions: [], keeps: [], notes: [], lanes: [], frozen: {} }
export const MOST_REGIONS = 60 // of the server's 64

export const isAll = (scope: Scope): boolean => scope.bars === null && scope.lane === null
const sameScope = (a: Scope, b: Scope): boolean => a.lane === b.lane && same(a.bars, b.bars)

/** The topmost region of exactly this scope. */
export const regionAt = (layers: Layers, scope: Scope): Region | null => layers.regions.findLast((one) => sameScope(one, scope)) ?? null

export const regionOf = (layers: Layers, id: number | null): Region | null => layers.regions.find((one) => one.id === id) ?? null

/** Whether there is no room for another region. */
export const isFull = (layers: Layers): boolean => layers.regions.length >= MOST_REGIONS

/** Where a new region goes: the whole piece lies under whole lanes, and these under bars. */
export function placeOf(layers: Layers, scope: Scope): number {
  const height = (one: Scope) => (one.bars ? 2 : one.lane ? 1 : 0)
  const above = layers.regions.findIndex((one) => height(one) > height(scope))
  return above < 0 ? layers.regions.length : above
}

/** The layers with other faders in a region, or in a new one of this scope; a region of nothing but rest goes, unless it
 * was given a name. Returns the region's id, too. */
export function withFaders(layers: Layers, id: number | null, scope: Scope, faders: Faders): { layers: Layers; id: number | null } {
  const known = regionOf(layers, id)
  const nothing = same({ ...faders, seed: 0 }, REST)
  if (known) {
    if (nothing && !known.name) return { layers: withoutRegion(layers, known.id), id: null }
    return { layers: withRegion(layers, { ...known, faders, locked: frozenBars(layers) }), id: known.id }
  }
  if (nothing || isFull(layers)) return { layers, id: null }
  const newest = Math.max(0, ...layers.regions.map((one) => one.id))
  const next: Region = { ...scope, id: newest + 1, name: '', bypass: false, faders, locked: frozenBars(layers) }
  return { layers: { ...layers, regions: layers.regions.toSpliced(placeOf(layers, scope), 0, next) }, id: next.id }
}

export const withRegion = (layers: Layers, region: Region): Layers => ({
  ...layers,
  regions: layers.regions.map((one) => (one.id === region.id ? region : one)),
})

export const withoutRegion = (layers: Layers, id: number): Layers => ({ ...layers, regions: layers.regions.filter((one) => one.id !== id) })

/** The layers with a region one place higher (1) or lower (-1). */
export function shifted(layers: Layers, id: number, by: 1 | -1): Layers {
  const from = layers.regions.findIndex((one) => one.id === id)
  const to = from + by
  if (from < 0 || to < 0 || to >= layers.regions.length) return layers
  const regions = [...layers.regions]
  ;[regions[from], regions[to]] = [regions[to]!, regions[from]!]
  return { ...layers, regions }
}

export const frozenBars = (layers: Layers): number[] => Object.keys(layers.frozen).map(Number)

/** The layers with bars frozen as they are, or free again (null): their regions then edit them as the others. Notes in
 * frozen bars need no lock of their own. */
export function withFrozen(layers: Layers, bars: Record<number, Held | null>): Layers {
  const frozen = { ...layers.frozen }
  for (const [bar, held] of Object.entries(bars)) {
    if (held) frozen[Number(bar)] = held
    else delete frozen[Number(bar)]
  }
  const regions = layers.regions.map((one) => ({ ...one, locked: one.locked.filter((bar) => bar in frozen) }))
  return { ...layers, regions, frozen, notes: layers.notes.filter((note) => !(Number.parseInt(note) in frozen)) }
}

/** The bars, of so many, in which a part is kept, or any. */
export function keptBars(layers: Layers, count: number, part?: Part): Set<number> {
  const found = new Set<number>()
  for (const one of layers.keeps) {
    if (part !== undefined && one.part !== part) continue
    for (let bar = one.bars?.[0] ?? 1; bar <= Math.min(one.bars?.[1] ?? count, count); bar++) found.add(bar)
  }
  return found
}

/** The layers with a part kept in some bars (all: null) of so many; where it is kept in all of them, in these no longer. */
export function toggledKeep(layers: Layers, part: Part, bars: Bars | null, count: number): Layers {
  const kept = keptBars(layers, count, part)
  const isOff = isKept(layers, part, bars, count)
  for (let bar = bars?.[0] ?? 1; bar <= (bars?.[1] ?? count); bar++) isOff ? kept.delete(bar) : kept.add(bar)
  const runs: Bars[] = []
  for (const bar of [...kept].sort((a, b) => a - b)) {
    const last = runs.at(-1)
    if (last?.[1] === bar - 1) last[1] = bar
    else runs.push([bar, bar])
  }
  const own = kept.size === count ? [{ part, bars: null }] : runs.map((run) => ({ part, bars: run }))
  return { ...layers, keeps: [...layers.keeps.filter((one) => one.part !== part), ...own] }
}

/** Whether a part is kept in all of some bars. */
export function isKept(layers: Layers, part: Part, bars: Bars | null, count: number): boolean {
  const kept = keptBars(layers, count, part)
  for (let bar = bars?.[0] ?? 1; bar <= (bars?.[1] ?? count); bar++) if (!kept.has(bar)) return false
  return true
}

/** The bars in which a part is kept, in words; empty where in none. */
export const keptText = (layers: Layers, part: Part): string =>
  layers.keeps.filter((one) => one.part === part).map((one) => (one.bars ? barsText(one.bars) : 'all bars')).join(', ')

/** Whether nothing is asked of any region, and no frozen bar differs from the source. */
export const isResting = (layers: Layers): boolean => active(layers).length === 0 && !Object.values(layers.frozen).some((one) => one.differs)

const active = (layers: Layers): Region[] => layers.regions.filter((one) => !one.bypass && !atRest(one.faders))

export const barsText = (bars: Bars): string => (bars[0] === bars[1] ? `bar ${bars[0]}` : `bars ${bars[0]}–${bars[1]}`)

/** What a scope is called. */
export function nameOf(scope: Scope & { name?: string }, lanes: readonly Lane[]): string {
  if (scope.name) return scope.name
  const lane = lanes.find((one) => one.id === scope.lane)
  return [scope.bars && barsText(scope.bars), lane?.name].filter(Boolean).join(', ') || 'whole piece'
}

/** What requests need to know of a piece. */
export interface Context {
  lines: readonly number[] // ticks of the bar lines
  lanes: readonly Lane[]
  outer: { melody: string | null; bass: string | null; named: boolean } // the lanes in which they lie
}

/** The locks of a region. A lane that does not hold the melody needs no lock of it, which would hold its own top line. */
export function locksOf(layers: Layers, scope: Scope, context: Context): string[] {
  const lane = context.lanes.find((one) => one.id === scope.lane)
  const parts = lane ? partsOf(context.lanes, lane).map((one) => one.id) : null
  const elsewhere = (part: Part) =>
    parts !== null &&
    ((part === 'melody' && !context.outer.named && !parts.includes(context.outer.melody ?? '')) ||
      (part === 'bass' && !parts.includes(context.outer.bass ?? '')))
  const kept = layers.keeps.filter((one) => !elsewhere(one.part))
  return [...kept.map((one) => one.part + (one.bars ? `:${one.bars[0]}-${one.bars[1]}` : '')), ...(layers.notes.length ? [layers.notes.join(',')] : [])]
}

/** What a request says of the notes that a region may edit: its lane, or all lanes but the kept ones. Null: it has none. */
export function askOf(layers: Layers, scope: Scope, lanes: readonly Lane[]): { only?: string; tracks?: string[] } | null {
  const keeps = (lane: Lane) => layers.lanes.includes(lane.id) || layers.lanes.includes(String(lane.track + 1))
  const lane = lanes.find((one) => one.id === scope.lane)
  const parts = (lane ? partsOf(lanes, lane) : lanes.filter((one) => one.isPart)).filter((one) => one.editable)
  const free = parts.filter((one) => !keeps(one))
  if (free.length === parts.length) return lane?.ask ?? {}
  if (!free.length) return null
  if (free.length === 1) return free[0]!.ask
  const halved = new Set(parts.filter(keeps).map((one) => one.track)) // a kept hand keeps its track, where there are others
  const tracks = [...new Set(free.filter((one) => !halved.has(one.track)).map((one) => String(one.track + 1)))]
  return tracks.length ? { tracks } : null
}

export function regionRequest(layers: Layers, region: Omit<Region, 'id'>, context: Context): Partial<RegionRequest> {
  const ask = askOf(layers, region, context.lanes)
  return {
    ...requestOf(region.faders),
    name: nameOf(region, context.lanes),
    bypass: region.bypass || ask === null,
    bars: region.bars ? [region.bars] : null,
    ...(ask ?? {}),
    locked: region.locked,
    keep: locksOf(layers, region, context),
  }
}

/** The regions of a request, and which region each comes from. Regions at rest are not among them;
 * frozen bars come last, without those that hold the source and that no region touches. */
export function requestsOf(layers: Layers, context: Context): { regions: Partial<RegionRequest>[]; ids: (number | null)[] } {
  const sent = layers.regions.filter((one) => !atRest(one.faders))
  const touches = (one: Region, bar: number) => !one.locked.includes(bar) && (one.bars === null || (one.bars[0] <= bar && bar <= one.bars[1]))
  const bars = frozenBars(layers).filter((bar) => layers.frozen[bar]!.differs || sent.some((one) => touches(one, bar)))
  const notes = {
    remove: [],
    add: bars.flatMap((bar) => layers.frozen[bar]!.rows),
    clear: bars.map((bar) => ticksOf(context.lines, bar)),
  }
  const frozen = bars.length ? [{ name: 'frozen', bars: bars.map((bar): Bars => [bar, bar]), notes }] : []
  return {
    regions: [...sent.map((one) => regionRequest(layers, one, context)), ...frozen],
    ids: [...sent.map((one) => one.id), ...frozen.map(() => null)],
  }
}

/** The regions whose last is the one to be described: a known one, or one that faders would make. */
export function describedOf(layers: Layers, region: Region | null, scope: Scope, context: Context): Partial<RegionRequest>[] {
  const at = region ? layers.regions.indexOf(region) : placeOf(layers, scope)
  const below = requestsOf({ ...layers, regions: layers.regions.slice(0, at), frozen: {} }, context).regions
  const own = { ...scope, name: '', faders: REST, ...region, bypass: false, locked: frozenBars(layers) }
  return [...below, regionRequest(layers, own, context)]
}

// --- work of earlier versions of the page

/** Faders as they were stored before there were regions: values as they were asked of the piece's mean. */
export interface OldFaders extends Omit<Faders, 'moves'> {
  absolute: string[]
  bars: Bars | null
  locked: number[]
}

/** The layers of stored faders. means: of the piece, from which they moved. held: what a bar of the source holds. */
export function upgraded(state: Layers | OldFaders, means: Record<string, Value>, held: (bar: number) => Held): Layers {
  if ('regions' in state) return state
  const { absolute, bars, locked, values, ...rest } = state
  const faders: Faders = { ...REST, ...rest, values: {}, moves: {} }
  for (const [name, value] of Object.entries(values)) {
    const from = means[name]
    if (typeof value === 'string' || absolute.includes(name) || typeof from !== 'number') faders.values[name] = value
    else faders.moves[name] = value - from
  }
  const frozen = withFrozen(EMPTY, Object.fromEntries(locked.map((bar) => [bar, held(bar)])))
  return withFaders(frozen, null, { bars, lane: null }, faders).layers
}
