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
/** How far the answer to an edit is, on the socket alone. */
export interface EditProgress {
  seq: number
  done: number
  total: number
}
export type RegionRequest = Schemas['RegionRequest']
export type RegionValues = Schemas['RegionValues']
export type FaderReach = Schemas['FaderReachInfo']
export type DescribeRequest = Schemas['DescribeRequest']
export type DescribeResponse = Schemas['DescribeResponse']
export type SegmentValues = Schemas['SegmentValues']
export type ErrorResponse = Schemas['ErrorResponse']
export type RenderRequest = Schemas['RenderRequest']
export type MelodyInfo = Schemas['MelodyInfo']
export type KnobsRequest = Schemas['KnobsRequest']
export type TurnResponse = Schemas['TurnResponse']
export type FolderInfo = Schemas['FolderInfo']
export type FolderRequest = Schemas['FolderRequest']
export type SliderGroup = Schemas['SliderGroupInfo']
export type BlendCell = Schemas['BlendCell']
export type Value = number | string | null
export type InspectResponse = Schemas['InspectResponse']
export type MapInfo = Schemas['MapInfo']
export type MapPoint = Schemas['MapPoint']
export type DecodeResponse = Schemas['DecodeResponse']
