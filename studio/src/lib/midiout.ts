// Notes and clock to a MIDI port of this computer: Web MIDI behind the same interface as the piano.
import { ServerPort } from './api'
import { Held } from './held'
import type { Clock, Synth } from './synth'

export interface Port extends Synth {
  readonly name: string
  readonly clock: Clock
  close(): void
}

export const supported = (): boolean => 'requestMIDIAccess' in navigator

export async function ports(): Promise<{ id: string; name: string }[]> {
  const access = await navigator.requestMIDIAccess()
  return [...access.outputs.values()].map((output) => ({ id: output.id, name: output.name ?? output.id }))
}

/** Open a port. audio: the clock of all times. */
export async function openPort(id: string, audio: () => number): Promise<Port> {
  const access = await navigator.requestMIDIAccess()
  const output = access.outputs.get(id)
  if (!output) throw new Error('that MIDI port is gone')
  return wrap(output.name ?? id, audio, {
    send: (message, later) => output.send(message, performance.now() + later * 1000),
    silence: () => (output as MIDIOutput & { clear?: () => void }).clear?.(),
    close: () => undefined,
  })
}

/** The port that the server opened (`fadernets studio --midi-port`). */
export function openServerPort(name: string, audio: () => number): Port {
  return wrap(name, audio, new ServerPort())
}

interface Output {
  send(message: number[], later: number): void // seconds from now
  silence(): void
  close(): void
}

function wrap(name: string, audio: () => number, output: Output): Port {
  const later = (time: number) => Math.max(0, time - audio())
  const held = new Held()
  const port: Port = {
    name,
    get now() {
      return audio()
    },
    latency: 0,
    on(channel, pitch, velocity, time) {
      held.on(channel, pitch, time)
      output.send([0x90 | (channel & 15), pitch, velocity], later(time))
    },
    off(channel, pitch, time) {
      held.off(channel, pitch, time)
      output.send([0x80 | (channel & 15), pitch, 64], later(time))
    },
    pedal(channel, value, time) {
      output.send([0xb0 | (channel & 15), 64, value], later(time))
    },
    silence() {
      output.silence()
      for (const [channel, pitch, time] of held.end(audio())) output.send([0x80 | channel, pitch, 64], later(time))
      for (let channel = 0; channel < 16; channel++) output.send([0xb0 | channel, 64, 0], 0)
    },
    clock: {
      start(sixteenth, time) {
        output.send([0xf2, sixteenth & 127, (sixteenth >> 7) & 127], later(time))
        output.send([sixteenth === 0 ? 0xfa : 0xfb], later(time))
      },
      beat: (time) => output.send([0xf8], later(time)),
      stop: () => output.send([0xfc], 0),
    },
    close() {
      port.silence()
      output.close()
    },
  }
  return port
}
