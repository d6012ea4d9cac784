// The notes that a synth was given, some of them ahead of their time, and that have not ended yet.
export const SHORTEST = 0.001 // seconds: a note that has been passed on already cannot end before it begins

export class Held {
  private readonly notes = new Map<number, [number, number]>() // channel and pitch -> when it begins, and ends

  on(channel: number, pitch: number, time: number): void {
    this.notes.set((channel & 15) * 128 + pitch, [time, Infinity])
  }

  off(channel: number, pitch: number, time: number): void {
    const note = this.notes.get((channel & 15) * 128 + pitch)
    if (note) note[1] = time
  }

  /** Forget all notes; those that sound now or will, as channel, pitch and the soonest that each can end. */
  end(now: number): [number, number, number][] {
    const left = [...this.notes].filter(([, [, end]]) => end > now)
    this.notes.clear()
    return left.map(([key, [begin]]) => [key >> 7, key & 127, Math.max(now, begin + SHORTEST)])
  }
}
