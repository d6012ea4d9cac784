// Names for the types of the server's API; schema.d.ts is generated from its OpenAPI document.
import type { components } from './schema'

type Schemas = components['schemas']
export type AboutResponse = Schemas['AboutResponse']
export type AttributeInfo = Schemas['AttributeInfo']
export type PresetInfo = Schemas['PresetInfo']
export type PieceInfo = Schemas['PieceInfo']
export type Columns = Schemas['Notes']
export type EditRequest = Schemas['EditRequest']
export type FadersRequest = Schemas['FadersRequest']
export type EditResponse = Schemas['EditResponse']
export type SegmentValues = Schemas['SegmentValues']
export type ErrorResponse = Schemas['ErrorResponse']
export type RenderRequest = Schemas['RenderRequest']
export type MelodyInfo = Schemas['MelodyInfo']
export type KnobsRequest = Schemas['KnobsRequest']
export type TurnResponse = Schemas['TurnResponse']
export type BlendCell = Schemas['BlendCell']
export type Value = number | string | null
export type InspectResponse = Schemas['InspectResponse']
export type MapInfo = Schemas['MapInfo']
export type MapPoint = Schemas['MapPoint']
export type DecodeResponse = Schemas['DecodeResponse']
