// Names for the server's types; schema.d.ts is generated from its OpenAPI document.
import type { components } from './schema'

type Schemas = components['schemas']
export type About = Schemas['About']
export type AttributeInfo = Schemas['AttributeInfo']
export type PresetInfo = Schemas['PresetInfo']
export type PieceInfo = Schemas['PieceInfo']
export type Columns = Schemas['Notes']
export type EditAsked = Schemas['EditAsked']
export type FadersAsked = Schemas['FadersAsked']
export type Edited = Schemas['Edited']
export type Measured = Schemas['Measured']
export type Failed = Schemas['Failed']
export type RenderAsked = Schemas['RenderAsked']
export type MelodyInfo = Schemas['MelodyInfo']
export type KnobsAsked = Schemas['KnobsAsked']
export type Turned = Schemas['Turned']
export type GridCell = Schemas['Cell']
export type Value = number | string | null
export type Inspected = Schemas['Inspected']
export type MapInfo = Schemas['MapInfo']
export type MapPoint = Schemas['Point']
export type Heard = Schemas['Heard']
