// Names for the types of the server's API; schema.d.ts is generated from its OpenAPI document.
import type { components } from './schema'

type Schemas = components['schemas']
export type State = Schemas['StateInfo']
export type Trial = Schemas['TrialInfo']
export type AnswerRequest = Schemas['AnswerRequest']
export type ErrorResponse = Schemas['ErrorResponse']
export type Change = NonNullable<AnswerRequest['changed']>
export type Ratings = Schemas['Ratings']
export type Aspect = keyof Ratings
export type Played = Schemas['PlayedInfo']
export type Part = 'original' | 'transformed'
