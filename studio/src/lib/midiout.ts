// Notes to a MIDI port of this computer, with clock: Web MIDI behind the same interface as the piano.
import type { Synth } from './synth'

export interface Port extends Synth {
  readonly name: string
  clock(running: boolean, secondsABeat: number): void
  close(): void
}

export const supported = (): boolean => 'requestMIDIAccess' in navigator

export async function ports(): Promise<{ id: string; name: string }[]> {
  const access = await navigator.requestMIDIAccess()
  return [...access.outputs.values()].map((output) => ({ id: output.id, name: output.name ?? output.id }))
}

/** Open a port. audio: the clock that times are given by. */
export async function openPort(id: string, audio: () => number): Promise<Port> {
  const access = await navigator.requestMIDIAccess()
  const output = access.outputs.get(id)
  if (!output) throw new Error('that MIDI port is gone')
  const when = (time: number) => performance.now() + Math.max(0, (time - audio()) * 1000)
  let beat: ReturnType<typeof setInterval> | null = null
  const held = new Set<number>()
  const port: Port = {
    name: output.name ?? id,
    get now() {
      return audio()
    },
    latency: 0,
    on(channel, pitch, velocity, time) {
      held.add((channel & 15) * 128 + pitch)
      output.send([0x90 | (channel & 15), pitch, velocity], when(time))
    },
    off(channel, pitch, time) {
      held.delete((channel & 15) * 128 + pitch)
      output.send([0x80 | (channel & 15), pitch, 64], when(time))
    },
    pedal(channel, value, time) {
      output.send([0xb0 | (channel & 15), 64, value], when(time))
    },
    silence() {
      ;(output as MIDIOutput & { clear?: () => void }).clear?.()
      for (const one of held) output.send([0x80 | (one >> 7), one & 127, 64])
      held.clear()
      for (let channel = 0; channel < 16; channel++) output.send([0xb0 | channel, 64, 0])
    },
    clock(running, secondsABeat) {
      if (beat) clearInterval(beat)
      beat = null
      if (!running) {
        output.send([0xfc])
        return
      }
      output.send([0xfa])
      beat = setInterval(() => output.send([0xf8]), (secondsABeat * 1000) / 24)
    },
    close() {
      port.clock(false, 0.5)
      port.silence()
    },
  }
  return port
}
