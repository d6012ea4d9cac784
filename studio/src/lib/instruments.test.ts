// @ts-expect-error: tests run in Node, whose types are not installed
import { readFileSync } from 'node:fs'
import { SoundBankLoader, SpessaSynthProcessor } from 'spessasynth_core'
import { describe, expect, it } from 'vitest'
import { DRUMS, playable } from './instruments'
import vectors from './instruments.json'

describe('a message to the bundled sounds', () => {
  it('chooses a program, the piano for all acoustic pianos, and never one for drums', () => {
    expect(playable([0xc1, 24])).toEqual([0xc1, 24])
    expect(playable([0xc1, 3])).toEqual([0xc1, 0])
    expect(playable([0xc9, 8])).toBeNull()
    expect(playable([0xb0, 7, 90])).toEqual([0xb0, 7, 90])
  })
})

// What is downloaded is what is heard: the page's synthesiser and the package's, on the same banks (scripts/instrument_vectors.py).
describe('the banks in the page’s synthesiser', () => {
  const RATE = 48_000
  const BLOCK = 128
  const read = (path: string) => {
    const data: Uint8Array = readFileSync(new URL(path, import.meta.url))
    return SoundBankLoader.fromArrayBuffer(data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength) as ArrayBuffer)
  }
  const banks = [read('../../public/piano.sf3'), read('../../../src/fadernets/assets/instruments.sf2')]

  async function levels(program: number | null, key: number, windows: number): Promise<number[]> {
    const synth = new SpessaSynthProcessor(RATE)
    await synth.processorInitialized
    banks.forEach((bank, i) => synth.soundBankManager.addSoundBank(bank, String(i)))
    const channel = program === null ? DRUMS : 0
    const message = playable([0xc0, program ?? 0])!
    if (program !== null) synth.programChange(channel, message[1]!)
    synth.noteOn(channel, key, 100)
    const [left, right] = [new Float32Array(windows * 4800), new Float32Array(windows * 4800)]
    for (let at = 0; at < left.length; at += BLOCK) synth.process(left, right, at, Math.min(BLOCK, left.length - at))
    return Array.from({ length: windows }, (_, window) => {
      let power = 0
      for (let i = window * 4800; i < (window + 1) * 4800; i++) power += left[i]! ** 2 + right[i]! ** 2
      return 10 * Math.log10(power / 9600 + 1e-12)
    })
  }

  it('are as loud, over time, as in a rendered file', async () => {
    const piano = await levels(0, 60, 1)
    const louder = piano[0]! - vectors[0]!.levels[0]!
    expect(Math.abs(louder - 20 * Math.log10(2 / 1.6))).toBeLessThan(0.5) // the gains of synth.ts and audio.py
    for (const one of vectors) {
      const found = await levels(one.program, one.key, one.levels.length)
      const loudest = Math.max(...one.levels)
      one.levels.forEach((level, i) => {
        if (level > loudest - 10 && (one.program !== null || i === 0)) expect(Math.abs(found[i]! - louder - level), `${one.program} ${one.key} at ${i / 10} s`).toBeLessThan(3.5) // one of them has a room
      })
    }
  }, 60_000)
})
