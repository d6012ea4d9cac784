// How far each fader can go in the chosen bars and lane, asked of the server when faders have come to rest.
import * as api from '../../lib/api'
import { describedOf } from './regions'
import type { EditRequest, FaderReach, Value } from '../../lib/types'
import type { Studio } from '../../studio.svelte'

const DELAY = 350 // milliseconds without a move
const AT_ONCE = 20 // where faders have nothing to show before the answer

export class Reach {
  private found: { key: string; faders: FaderReach[] } | null = $state.raw(null)
  private timer: ReturnType<typeof setTimeout> | undefined
  private asking = 0 // number of the newest question; an answer to an older one is not heeded

  constructor(private readonly studio: Studio) {}

  /** Ask anew when nothing has moved for a while. */
  wait(): void {
    this.stop()
    const isNeeded = this.studio.lane !== null && this.studio.region === null && this.faders === null
    this.timer = setTimeout(() => void this.ask(), isNeeded ? AT_ONCE : DELAY)
  }

  stop(): void {
    clearTimeout(this.timer)
    this.asking++ // the server answers soon: to break off would cost it more
  }

  private get key(): string {
    const { piece, scope } = this.studio
    return JSON.stringify([piece?.id, piece?.model, scope])
  }

  private get faders(): FaderReach[] | null {
    return this.found?.key === this.key ? this.found.faders : null
  }

  /** What each fader measures in the chosen bars and lane; null while it is not known. */
  get values(): Record<string, Value> | null {
    return this.faders && Object.fromEntries(this.faders.map((one) => [one.name, one.value]))
  }

  /** How far one fader can go; null while it is not known. */
  of(name: string): FaderReach | null {
    return this.faders?.find((one) => one.name === name) ?? null
  }

  private async ask(): Promise<void> {
    const { studio, key } = this
    const { piece } = studio
    if (!piece || studio.draft) return
    if (studio.busy) return this.wait()
    const asking = ++this.asking
    const regions = describedOf(studio.layers, studio.region, studio.scope, studio.context) as NonNullable<EditRequest['regions']>
    try {
      const { faders } = await api.describe({ piece: piece.id, model: piece.model, regions, index: regions.length - 1 })
      if (this.asking === asking) this.found = { key, faders }
    } catch (error) {
      // it is a help alone, unless the chosen bars have nothing to edit
      if (this.asking === asking && error instanceof api.Problem && error.status === 400) studio.notice = error.message
    }
  }
}
