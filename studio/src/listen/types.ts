// Names for the server's types; schema.d.ts is generated from its OpenAPI document.
import type { components } from './schema'

type Schemas = components['schemas']
export type State = Schemas['StateInfo']
export type Trial = Schemas['TrialInfo']
export type Said = Schemas['AnswerAsked']
export type Failed = Schemas['Failed']
export type Change = NonNullable<Said['changed']>
export type Ratings = Schemas['Ratings']
export type Aspect = keyof Ratings
export type Played = Schemas['PlayedInfo']
export type Part = 'original' | 'transformed'
