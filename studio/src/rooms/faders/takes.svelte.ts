// Takes: different answers to what the chosen region asks, heard one by one, and taken whole or bar by bar.
import * as api from '../../lib/api'
import { barsThatDiffer } from './frozen'
import { requestsOf, withFrozen, withRegion, type Layers } from './regions'
import { wordsOf } from './words'
import { notesOf, type Note } from '../../lib/score'
import type { EditRequest, EditResponse } from '../../lib/types'
import type { Studio } from '../../studio.svelte'

export const COUNT = 4

export interface Take {
  index: number
  edited: EditResponse
  layers: Layers // that make it
  ids: (number | null)[]
  notes: Note[]
  bars: number[] // in which it differs from the edit
  words: string
}

export class Takes {
  list: Take[] = $state.raw([])
  index: number | null = $state(null) // the one that is heard
  asked = $state(0) // how many are waited for
  private of: number | null = $state(null) // the region
  private edit: Note[] = [] // without a take
  private ofAll = '' // what all regions asked
  private asking: AbortController | null = null

  constructor(private readonly studio: Studio) {}

  heard: Take | null = $derived(this.index === null ? null : (this.list.find((one) => one.index === this.index) ?? null))

  get isOpen(): boolean {
    return this.list.length > 0 || this.asked > 0
  }

  /** Ask for takes of the chosen region. reroll: others than before. */
  async request(reroll = false): Promise<void> {
    const { studio } = this
    let { region } = studio
    if (!region) return
    if (reroll) {
      studio.release({ ...region.faders, seed: (region.faders.seed + 1) % 2 ** 31, variation: null })
      await this.settled()
      region = studio.region
      if (!region) return
    }
    this.close()
    const asking = (this.asking = new AbortController())
    this.of = region.id
    studio.original = false
    this.edit = studio.shown
    this.ofAll = askedOf(studio.layers)
    this.asked = COUNT
    studio.transport.prepare().catch(() => undefined) // a take is heard as soon as its key is pressed
    await studio.guarded(async () => {
      for (let index = 0; index < COUNT; index++) {
        const layers = withRegion(studio.layers, { ...region, faders: { ...region.faders, variation: { index, count: COUNT } } })
        const request = studio.request(false, layers) as EditRequest
        try {
          const edited = await studio.withUpload(() => api.edit(request, asking.signal))
          if (this.asking !== asking) return
          this.add(index, edited, layers)
        } catch (error) {
          if (asking.signal.aborted) return
          throw error
        }
      }
    })
    if (this.asking === asking) this.asked = 0
  }

  private add(index: number, edited: EditResponse, layers: Layers): void {
    const { studio } = this
    const piece = studio.piece!
    const notes = studio.inLanes(notesOf(edited.notes))
    const bars = barsThatDiffer(this.edit, notes, piece.bars)
    const words = !bars.length ? 'as it is now' : wordsOf(studio.inLanes(notesOf(piece.notes)), notes, studio.lanes, piece, layers.regions.find((one) => one.id === this.of)?.bars ?? null)
    const { ids } = requestsOf(layers, studio.context)
    this.list = [...this.list, { index, edited, layers, ids, notes, bars, words }]
  }

  /** Hear a take at once, in a loop over the region's bars; null: the edit again. */
  async audition(index: number | null): Promise<void> {
    const { studio } = this
    if (index !== null && !this.list.some((one) => one.index === index)) return
    studio.original = false
    this.index = index
    studio.changeMusic()
    if (index === null || studio.playing) return
    if (!studio.looping && studio.selection) studio.toggleLoop()
    await studio.guarded(() => studio.transport.play())
  }

  /** The whole take becomes the region's answer. */
  accept(index: number): void {
    const { studio } = this
    const take = this.list.find((one) => one.index === index)
    const region = studio.layers.regions.find((one) => one.id === this.of)
    if (!take || !region) return
    const next = withRegion(studio.layers, { ...region, faders: { ...region.faders, variation: { index, count: COUNT } } })
    studio.write(next)
    studio.expect(take.edited, take.ids)
  }

  /** A bar of a take is taken, and frozen as it is; the takes stay. */
  takeBar(index: number, bar: number): void {
    const { studio } = this
    const take = this.list.find((one) => one.index === index)
    if (!take) return
    const { list, of } = this
    studio.write(withFrozen(studio.layers, { [bar]: studio.held(bar, take.notes) }))
    this.list = list
    this.of = of
  }

  /** Which take a frozen bar is that of; null: of none. */
  takenFrom(bar: number): number | null {
    const held = this.studio.layers.frozen[bar]
    if (!held) return null
    const rows = JSON.stringify(held.rows)
    return this.list.find((one) => JSON.stringify(this.studio.held(bar, one.notes).rows) === rows)?.index ?? null
  }

  /** Stop waiting for those that are not there yet. */
  cancel(): void {
    this.asking?.abort()
    this.asking = null
    this.asked = 0
  }

  /** Whether the takes are still other answers to what some layers ask; bars may be frozen otherwise than they were. */
  fits(layers: Layers): boolean {
    return this.isOpen && askedOf(layers) === this.ofAll
  }

  close(): void {
    this.cancel()
    this.list = []
    this.index = null
  }

  private settled(): Promise<void> {
    return new Promise((resolve) => {
      const look = () => (this.studio.busy ? setTimeout(look, 30) : resolve())
      look()
    })
  }
}

/** What layers ask, whatever bars are frozen. */
const askedOf = ({ regions, keeps, lanes }: Layers): string => JSON.stringify([regions.map(({ locked: _, ...one }) => one), keeps, lanes])
