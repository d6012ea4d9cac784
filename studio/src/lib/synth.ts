// An interface for what plays notes, and the bundled sounds behind it: a sampled piano, and General MIDI's other programs and
// drums, which load when music needs them. Times are seconds of the audio clock.
import bank from '../../../src/fadernets/assets/instruments.sf2?url'
import { Held } from './held'
import { DRUMS, playable } from './instruments'
import processor from 'spessasynth_lib/dist/spessasynth_processor.min.js?url'

export interface Synth {
  readonly now: number
  readonly latency: number
  on(channel: number, pitch: number, velocity: number, time: number): void
  off(channel: number, pitch: number, time: number): void
  pedal(channel: number, value: number, time: number): void
  silence(): void
  message?(message: number[], time: number): void // bytes: a program, a controller, a bend
  reset?(): void // every channel plays the piano, at its usual volume
  readonly clock?: Clock // of ports, for a DAW to follow
}

/** MIDI clock: 24 ticks of it a quarter note of the music, at any tempo. */
export interface Clock {
  start(sixteenth: number, time: number): void // from this sixteenth of the music
  beat(time: number): void
  stop(): void
}

export interface Piano extends Synth {
  instruments(): Promise<void> // loads what is not the piano, once
  readonly context: AudioContext
  readonly level: AnalyserNode // its loudness, for a meter and for tests
  volume: number // 0 to 1
}

const NOT_SECURE = 'browsers give this page sound only over https, or on the studio’s own machine (docs/how-to/studio.md says how)'
const NO_PIANO = 'the piano could not be loaded; play again to try once more'
const NO_INSTRUMENTS = 'the instruments could not be loaded; play again to try once more'
const CHANNELS = 16
const GAIN = 1.6 // with which a note is as loud as in a rendered WAV file

async function fetched(address: string, problem: string): Promise<ArrayBuffer> {
  const response = await fetch(address).catch(() => null)
  if (!response?.ok) throw new Error(problem)
  return response.arrayBuffer()
}

/** Load the piano; the first call must come from a click or a key. */
export async function openPiano(): Promise<Piano> {
  if (!window.isSecureContext) throw new Error(NOT_SECURE)
  const { WorkletSynthesizer } = await import('spessasynth_lib')
  const context = new AudioContext({ latencyHint: 'interactive' })
  const [piano] = await Promise.all([
    fetched('./piano.sf3', NO_PIANO),
    context.audioWorklet.addModule(processor),
    context.resume(),
  ])
  const synth = new WorkletSynthesizer(context)
  await synth.soundBankManager.addSoundBank(piano, 'piano')
  await synth.isReady
  const gain = context.createGain()
  const volume = context.createGain()
  const level = context.createAnalyser()
  const limiter = new DynamicsCompressorNode(context, { threshold: -8, knee: 6, ratio: 12, attack: 0.002, release: 0.15 })
  gain.gain.value = GAIN
  synth.connect(gain)
  gain.connect(limiter)
  limiter.connect(volume)
  volume.connect(level)
  level.connect(context.destination)
  const held = new Held()
  let loading: Promise<void> | null = null
  const usual = [[7, 100], [10, 64], [11, 127], [64, 0]] as const // volume, pan, expression, pedal
  return {
    instruments() {
      loading ??= fetched(bank, NO_INSTRUMENTS).then((data) => synth.soundBankManager.addSoundBank(data, 'instruments'))
      return loading.catch((error: unknown) => {
        loading = null
        throw error
      })
    },
    message(message, time) {
      const bytes = playable(message)
      if (bytes) synth.sendMessage(bytes, 0, { time })
    },
    reset() {
      for (let channel = 0; channel < CHANNELS; channel++) {
        if (channel !== DRUMS) synth.programChange(channel, 0)
        for (const [controller, value] of usual) synth.controllerChange(channel, controller, value)
        synth.pitchWheel(channel, 8192)
        synth.pitchWheelRange(channel, 2)
      }
    },
    context,
    level,
    get volume() {
      return volume.gain.value
    },
    set volume(to) {
      volume.gain.setTargetAtTime(to, context.currentTime, 0.01) // a step would be heard as a click
    },
    get now() {
      return context.currentTime
    },
    get latency() {
      return context.baseLatency || 0
    },
    on(channel, pitch, velocity, time) {
      held.on(channel, pitch, time)
      synth.noteOn(channel & 15, pitch, velocity, { time })
    },
    off(channel, pitch, time) {
      held.off(channel, pitch, time)
      synth.noteOff(channel & 15, pitch, { time })
    },
    pedal(channel, value, time) {
      synth.controllerChange(channel & 15, 64, value, { time })
    },
    silence() {
      for (const [channel, pitch, time] of held.end(context.currentTime)) synth.noteOff(channel, pitch, { time })
      for (let channel = 0; channel < CHANNELS; channel++) synth.controllerChange(channel, 64, 0)
      synth.stopAll(false)
    },
  }
}

/** The piano's clock without its sound, by which a port keeps time. */
export const silent = (piano: Synth): Synth => ({
  get now() {
    return piano.now
  },
  latency: 0,
  on: () => undefined,
  off: () => undefined,
  pedal: () => undefined,
  silence: () => undefined,
})
