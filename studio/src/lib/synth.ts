// An interface for what plays notes, and the sampled piano behind it. Times are seconds of the audio clock.
import processor from 'spessasynth_lib/dist/spessasynth_processor.min.js?url'

export interface Synth {
  readonly now: number
  readonly latency: number
  on(channel: number, pitch: number, velocity: number, time: number): void
  off(channel: number, pitch: number, time: number): void
  pedal(channel: number, value: number, time: number): void
  silence(): void
  readonly clock?: Clock // of ports, for a DAW to follow
}

/** MIDI clock: 24 ticks of it a quarter-beat of the music, at any tempo. */
export interface Clock {
  start(sixteenth: number, time: number): void // from this sixteenth of the music
  beat(time: number): void
  stop(): void
}

export interface Piano extends Synth {
  readonly context: AudioContext
  readonly level: AnalyserNode // its loudness, for a meter and for tests
}

const NOT_SECURE = 'browsers give this page sound only over https, or on the studio’s own machine (docs/studio.md says how)'
const NO_PIANO = 'the piano could not be loaded; play again to try once more'
const GAIN = 2.5 // the samples of the bank are quiet

/** Load the piano; the first call must come from a click or a key. */
export async function openPiano(): Promise<Piano> {
  if (!window.isSecureContext) throw new Error(NOT_SECURE)
  const { WorkletSynthesizer } = await import('spessasynth_lib')
  const context = new AudioContext({ latencyHint: 'interactive' })
  const [bank] = await Promise.all([
    fetch('./piano.sf3').then(
      (response) => {
        if (!response.ok) throw new Error(NO_PIANO)
        return response.arrayBuffer()
      },
      () => {
        throw new Error(NO_PIANO)
      },
    ),
    context.audioWorklet.addModule(processor),
    context.resume(),
  ])
  const synth = new WorkletSynthesizer(context)
  await synth.soundBankManager.addSoundBank(bank, 'piano')
  await synth.isReady
  const gain = context.createGain()
  const level = context.createAnalyser()
  const limiter = new DynamicsCompressorNode(context, { threshold: -8, knee: 6, ratio: 12, attack: 0.002, release: 0.15 })
  gain.gain.value = GAIN
  synth.connect(gain)
  gain.connect(limiter)
  limiter.connect(level)
  level.connect(context.destination)
  const held = new Set<string>()
  return {
    context,
    level,
    get now() {
      return context.currentTime
    },
    get latency() {
      return context.baseLatency || 0
    },
    on(channel, pitch, velocity, time) {
      held.add(`${channel}:${pitch}`)
      synth.noteOn(channel % 9, pitch, velocity, { time })
    },
    off(channel, pitch, time) {
      held.delete(`${channel}:${pitch}`)
      synth.noteOff(channel % 9, pitch, { time })
    },
    pedal(channel, value, time) {
      synth.controllerChange(channel % 9, 64, value, { time })
    },
    silence() {
      for (const key of held) {
        const [channel, pitch] = key.split(':').map(Number)
        synth.noteOff(channel! % 9, pitch!)
      }
      held.clear()
      for (let channel = 0; channel < 9; channel++) synth.controllerChange(channel, 64, 0)
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
