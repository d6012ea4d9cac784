import { describe, expect, it, vi } from 'vitest'
import { Player, type Music } from './player'
import { Tempo, type Note } from './score'
import type { Synth } from './synth'

const TPQ = 480
const note = (onset: number, end: number, pitch: number): Note => ({ onset, end, pitch, velocity: 80, track: 0 })

class Fake implements Synth {
  now = 0
  latency = 0
  said: string[] = []
  on(_: number, pitch: number, __: number, time: number): void {
    this.said.push(`on ${pitch} ${time.toFixed(2)}`)
  }
  off(_: number, pitch: number, time: number): void {
    this.said.push(`off ${pitch} ${time.toFixed(2)}`)
  }
  pedal(_: number, value: number): void {
    this.said.push(`pedal ${value}`)
  }
  silence(): void {
    this.said.push('silence')
  }
}

const music = (notes: Note[], more: Partial<Music> = {}): Music => ({
  notes, channels: [0], pedal: [], tempo: new Tempo([[0, 500000]], TPQ), end: 4 * TPQ, ...more,
})

function begin(given: Music): { player: Player; synth: Fake; run: (seconds: number) => void } {
  vi.useFakeTimers()
  const synth = new Fake()
  const player = new Player(given)
  player.use(synth)
  synth.said = []
  const run = (seconds: number) => {
    for (let t = 0; t < seconds - 1e-9; t += 0.025) {
      synth.now += 0.025
      player.pump()
    }
  }
  return { player, synth, run }
}

const ons = (synth: Fake) => synth.said.filter((one) => one.startsWith('on'))

describe('the player', () => {
  const scale = music([note(0, 480, 60), note(480, 960, 62), note(960, 1440, 64), note(1440, 1920, 65)])

  it('plays each note once, at its time, and releases it', () => {
    const { player, synth, run } = begin(scale)
    player.play()
    run(2.3)
    expect(ons(synth)).toEqual(['on 60 0.03', 'on 62 0.53', 'on 64 1.03', 'on 65 1.53'])
    expect(synth.said.filter((one) => one.startsWith('off 6'))).toEqual(['off 60 0.53', 'off 62 1.03', 'off 64 1.53', 'off 65 2.03'])
    expect(player.playing).toBe(false)
  })

  it('pauses where it is and goes on from there', () => {
    const { player, synth, run } = begin(scale)
    player.play()
    run(0.7)
    player.pause()
    const at = player.tick
    expect(at).toBeGreaterThan(480)
    expect(synth.said.at(-1)).toBe('silence')
    run(1)
    expect(player.tick).toBe(at)
    synth.said = []
    player.play()
    run(0.5)
    expect(ons(synth)).toHaveLength(1)
  })

  it('loops bars without a gap', () => {
    const { player, synth, run } = begin(scale)
    player.loop = [0, 960]
    player.play()
    run(3.2)
    expect(ons(synth).map((one) => one.split(' ')[1])).toEqual(['60', '62', '60', '62', '60', '62', '60'])
    const times = ons(synth).map((one) => Number(one.split(' ')[2]))
    for (let i = 1; i < times.length; i++) expect(times[i]! - times[i - 1]!).toBeCloseTo(0.5, 1)
  })

  it('goes on in other music at the same place', () => {
    const { player, synth, run } = begin(scale)
    player.play()
    run(0.6)
    player.change(music([note(0, 480, 40), note(480, 960, 62), note(960, 1440, 43), note(1440, 1920, 45)]))
    run(1.6)
    expect(ons(synth).map((one) => one.split(' ')[1])).toEqual(['60', '62', '43', '45'])
    expect(synth.said.filter((one) => one.startsWith('off 62'))).toHaveLength(1)
  })

  it('lets go of what other music does not hold', () => {
    const { player, synth, run } = begin(music([note(0, 1920, 60)]))
    player.play()
    run(0.4)
    player.change(music([note(960, 1920, 62)]))
    expect(synth.said.some((one) => one.startsWith('off 60'))).toBe(true)
  })

  it('plays faster and slower from where it is', () => {
    const { player, run } = begin(scale)
    player.play()
    run(0.53)
    const before = player.tick
    player.setRate(0.5)
    expect(player.tick).toBeCloseTo(before, 3)
    run(0.5)
    expect(player.tick - before).toBeCloseTo(240, -1)
  })

  it('knows the pedal of the place it begins at', () => {
    const { player, synth } = begin(music([note(0, 960, 60)], { pedal: [[0, 0, 127], [1000, 0, 0]] }))
    player.seek(960)
    player.play()
    expect(synth.said).toContain('pedal 127')
  })

  it('leaves drums out', () => {
    const { player, synth, run } = begin(music([note(0, 480, 36)], { channels: [9] }))
    player.play()
    run(0.5)
    expect(ons(synth)).toEqual([])
  })

  it('seeks inside the piece', () => {
    const { player } = begin(scale)
    player.seek(-5)
    expect(player.tick).toBe(0)
    player.seek(1e9)
    expect(player.tick).toBe(1920)
  })
})
