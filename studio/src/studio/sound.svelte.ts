// What is heard of a piece: what is shown, of the lanes that are not silent, and the transport that plays it.
import { State } from './state.svelte'
import { Tempo } from '../lib/score'
import { SILENCE, Transport } from '../transport.svelte'
import type { Music } from '../lib/player'
import type { Bars } from '../rooms/faders/regions'

export abstract class Sound extends State {
  readonly transport = new Transport()

  get player() {
    return this.transport.player
  }

  get playing(): boolean {
    return this.transport.playing
  }

  get looping(): boolean {
    return this.transport.looping
  }

  get analyser(): AnalyserNode | null {
    return this.transport.analyser
  }

  async togglePlay(): Promise<void> {
    if (this.player.playing || this.transport.loading) this.transport.pause()
    else await this.guarded(() => this.transport.play())
  }

  seek(tick: number): void {
    this.transport.seek(tick)
  }

  toggleOriginal(): void {
    this.original = !this.original
    this.changeMusic()
  }

  mute(lane: string): void {
    this.muted = toggled(this.muted, lane)
    this.changeMusic()
  }

  hearAlone(lane: string): void {
    this.solo = toggled(this.solo, lane)
    this.changeMusic()
  }

  changeMusic(): void {
    this.player.change(this.music())
  }

  /** What is heard: what is shown, of the lanes that are not silent. */
  music(): Music {
    const piece = this.piece
    if (!piece) return SILENCE
    const from = this.original || !this.edited ? piece : this.edited
    const all = this.audible.every(Boolean)
    return {
      notes: all ? this.shown : this.shown.filter((note) => this.audible[note.lane ?? -1] ?? true),
      channels: piece.channels,
      messages: piece.messages,
      pedal: from.pedal,
      tempo: new Tempo(from.tempo, piece.tpq),
      end: Math.max(from.end, 1),
    }
  }

  toggleLoop(): void {
    this.transport.looping = !this.transport.looping
    this.applyLoop()
  }

  applyLoop(): void {
    const lines = this.piece?.bars ?? [0]
    const [first, last] = this.selection ?? [1, this.bars]
    const [from, until] = [lines[first - 1] ?? 0, Math.min(lines[last] ?? 0, this.music().end)]
    this.player.loop = this.looping && from < until ? [from, until] : null // none of bars behind the music's end
  }

  select(bars: Bars | null): void {
    this.selection = bars
    if (this.transport.looping) this.applyLoop()
  }
}

const toggled = (set: ReadonlySet<string>, one: string): Set<string> => {
  const next = new Set(set)
  if (!next.delete(one)) next.add(one)
  return next
}
