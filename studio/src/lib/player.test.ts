import { describe, expect, it, vi } from 'vitest'
import { Player, type Music } from './player'
import { Tempo, type Note } from './score'
import type { Synth } from './synth'

const TPQ = 480
const note = (onset: number, end: number, pitch: number): Note => ({ onset, end, pitch, velocity: 80, track: 0 })

class Fake implements Synth {
  now = 0
  latency = 0
  events: string[] = []
  on(_: number, pitch: number, __: number, time: number): void {
    this.events.push(`on ${pitch} ${time.toFixed(2)}`)
  }
  off(_: number, pitch: number, time: number): void {
    this.events.push(`off ${pitch} ${time.toFixed(2)}`)
  }
  pedal(_: number, value: number): void {
    this.events.push(`pedal ${value}`)
  }
  silence(): void {
    this.events.push('silence')
  }
}

/** A synth that takes programs. */
class Voiced extends Fake {
  message(bytes: number[]): void {
    this.events.push(`message ${bytes.join(' ')}`)
  }
  reset(): void {
    this.events.push('reset')
  }
}

/** A port: its clock says so too. */
class Port extends Fake {
  readonly clock = {
    start: (sixteenth: number, time: number) => this.events.push(`start ${sixteenth} ${time.toFixed(2)}`),
    beat: (time: number) => this.events.push(`beat ${time.toFixed(3)}`),
    stop: () => this.events.push('stop'),
  }
}

const music = (notes: Note[], more: Partial<Music> = {}): Music => ({
  notes, channels: [0], pedal: [], tempo: new Tempo([[0, 500000]], TPQ), end: 4 * TPQ, ...more,
})

function begin(given: Music, synth = new Fake()): { player: Player; synth: Fake; run: (seconds: number) => void } {
  vi.useFakeTimers()
  const player = new Player(given)
  player.use(synth)
  synth.events = []
  const run = (seconds: number) => {
    for (let t = 0; t < seconds - 1e-9; t += 0.025) {
      synth.now += 0.025
      player.pump()
    }
  }
  return { player, synth, run }
}

const ons = (synth: Fake) => synth.events.filter((one) => one.startsWith('on'))

describe('the player', () => {
  const scale = music([note(0, 480, 60), note(480, 960, 62), note(960, 1440, 64), note(1440, 1920, 65)])

  it('plays each note once, at its time, and releases it', () => {
    const { player, synth, run } = begin(scale)
    player.play()
    run(2.3)
    expect(ons(synth)).toEqual(['on 60 0.03', 'on 62 0.53', 'on 64 1.03', 'on 65 1.53'])
    expect(synth.events.filter((one) => one.startsWith('off 6'))).toEqual(['off 60 0.53', 'off 62 1.03', 'off 64 1.53', 'off 65 2.03'])
    expect(player.playing).toBe(false)
  })

  it('pauses where it is and goes on from there', () => {
    const { player, synth, run } = begin(scale)
    player.play()
    run(0.7)
    player.pause()
    const at = player.tick
    expect(at).toBeGreaterThan(480)
    expect(synth.events.at(-1)).toBe('silence')
    run(1)
    expect(player.tick).toBe(at)
    synth.events = []
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

  it('does not loop over nothing, nor behind the end', () => {
    const { player, synth, run } = begin(scale)
    for (const loop of [[1920, 1920], [960, 960], [2400, 2880]] as [number, number][]) {
      player.loop = loop
      player.seek(0)
      player.play()
      run(2.5)
      expect(player.playing).toBe(false)
    }
    expect(ons(synth)).toHaveLength(12)
  })

  it('goes on in its loop after a sleep of many loops', () => {
    const { player, synth } = begin(scale)
    player.loop = [0, 1]
    player.play()
    synth.now += 600
    player.pump()
    expect(player.tick).toBeLessThan(1)
    player.loop = [0, 960]
    player.seek(0)
    synth.now += 0.03 + 600.25
    player.pump()
    expect(player.tick).toBeCloseTo(240, 0)
    player.pause()
  })

  it('turns back when the loop ends, not when the timer comes round', () => {
    const { player, synth } = begin(scale)
    const late: number[] = []
    synth.on = (_, __, ___, time) => void late.push(synth.now - time)
    player.loop = [0, 960]
    player.play()
    for (let i = 0; i < 1100; i++) {
      synth.now += 0.001
      vi.advanceTimersByTime(1)
    }
    player.pause()
    expect(late).toHaveLength(3)
    expect(Math.max(...late)).toBeLessThan(0.003)
  })

  it('goes on in other music at the same place', () => {
    const { player, synth, run } = begin(scale)
    player.play()
    run(0.6)
    player.change(music([note(0, 480, 40), note(480, 960, 62), note(960, 1440, 43), note(1440, 1920, 45)]))
    run(1.6)
    expect(ons(synth).map((one) => one.split(' ')[1])).toEqual(['60', '62', '43', '45'])
    expect(synth.events.filter((one) => one.startsWith('off 62'))).toHaveLength(1)
  })

  it('lets go of what other music does not hold', () => {
    const { player, synth, run } = begin(music([note(0, 1920, 60)]))
    player.play()
    run(0.4)
    player.change(music([note(960, 1920, 62)]))
    expect(synth.events.some((one) => one.startsWith('off 60'))).toBe(true)
  })

  it('ends a note that it passed on ahead after it begins, where other music does not have it', () => {
    const { player, synth, run } = begin(music([note(480, 1920, 60)]))
    player.play()
    run(0.475) // the note begins at .53, and was passed on
    expect(ons(synth)).toEqual(['on 60 0.53'])
    player.change(music([note(960, 1920, 62)]))
    const off = synth.events.find((one) => one.startsWith('off 60'))!
    expect(Number(off.split(' ')[2])).toBeGreaterThanOrEqual(0.53)
  })

  it('ends a note that it passed on ahead where the other music ends it', () => {
    const { player, synth, run } = begin(music([note(480, 1920, 60)]))
    player.play()
    run(0.475)
    player.change(music([note(480, 960, 60)]))
    run(1)
    expect(ons(synth)).toEqual(['on 60 0.53'])
    expect(synth.events.filter((one) => one.startsWith('off 60'))).toEqual(['off 60 1.03'])
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
    expect(synth.events).toContain('pedal 127')
  })

  it('plays drums, and knows that they need more than the piano', () => {
    const { player, synth, run } = begin(music([note(0, 480, 36)], { channels: [9] }))
    expect(player.needsInstruments).toBe(true)
    expect(begin(scale).player.needsInstruments).toBe(false)
    player.play()
    run(0.5)
    expect(ons(synth)).toHaveLength(1)
  })

  it('changes programs in time, and sets what holds at the place it begins at', () => {
    const messages = [[0, 0xc0, 24], [0, 0xb0, 7, 90], [480, 0xc0, 73], [960, 0xb0, 7, 60], [960, 0xb0, 10, 20]]
    const { player, synth, run } = begin(music([note(0, 480, 60), note(960, 1920, 62)], { messages }), new Voiced())
    const sent = () => synth.events.filter((one) => /^(reset|message)/.test(one))
    player.play()
    run(0.7)
    expect(sent()).toEqual(['reset', 'message 192 24', 'message 176 7 90', 'message 192 24', 'message 176 7 90', 'message 192 73'])
    expect(player.needsInstruments).toBe(true)
    player.pause()
    player.seek(1000)
    synth.events = []
    player.play()
    expect(sent()).toEqual(['reset', 'message 192 73', 'message 176 7 60', 'message 176 10 20'])
  })

  it('seeks inside the piece', () => {
    const { player } = begin(scale)
    player.seek(-5)
    expect(player.tick).toBe(0)
    player.seek(1e9)
    expect(player.tick).toBe(1920)
  })
})

describe('the clock of a port', () => {
  const notes = [note(0, 480, 60), note(480, 960, 62)]
  const beats = (synth: Fake) => synth.events.filter((one) => one.startsWith('beat')).map((one) => Number(one.split(' ')[1]))
  const starts = (synth: Fake) => synth.events.filter((one) => one.startsWith('start') || one === 'stop')

  it('has 24 beats a quarter note, in the tempo of the place', () => {
    const tempo = new Tempo([[0, 500000], [480, 1000000]], TPQ)
    const { player, synth, run } = begin(music(notes, { tempo, end: 960 }), new Port())
    player.play()
    run(2)
    const times = beats(synth)
    expect(times).toHaveLength(48)
    expect(times[1]! - times[0]!).toBeCloseTo(0.5 / 24, 2)
    expect(times[24]! - times[0]!).toBeCloseTo(0.5)
    expect(times[47]! - times[24]!).toBeCloseTo(23 / 24)
    expect(starts(synth)).toEqual(['start 0 0.03', 'stop'])
  })

  it('goes along with another tempo, and with another speed', () => {
    const { player, synth, run } = begin(music(notes), new Port())
    player.play()
    run(0.5)
    player.change(music(notes, { tempo: new Tempo([[0, 250000]], TPQ) }))
    synth.events = []
    run(0.5)
    expect(beats(synth).length).toBeGreaterThan(44)
    player.setRate(0.5)
    synth.events = []
    run(0.5)
    expect(beats(synth).length).toBeLessThan(28)
  })

  it('begins at a sixteenth, and says which', () => {
    const { player, synth, run } = begin(music(notes), new Port())
    player.seek(130)
    player.play()
    run(0.3)
    expect(starts(synth)[0]).toBe('start 2 0.14')
    expect(beats(synth)[0]).toBeCloseTo(0.145, 2)
    player.seek(480)
    player.pause()
    expect(starts(synth).slice(1)).toEqual(['stop', expect.stringMatching(/^start 4 /), 'stop'])
  })

  it('goes back with a loop', () => {
    const { player, synth, run } = begin(music(notes), new Port())
    player.loop = [480, 960]
    player.play()
    run(1.3)
    expect(starts(synth).map((one) => one.split(' ').slice(0, 2).join(' '))).toEqual(['start 4', 'stop', 'start 4', 'stop', 'start 4'])
    expect(beats(synth).length).toBeGreaterThanOrEqual(60)
  })

  it('is another port’s at once', () => {
    const { player, synth, run } = begin(music(notes))
    player.play()
    run(0.2)
    const port = new Port()
    port.now = synth.now
    synth.events = []
    player.use(synth, port)
    run(0.5)
    expect(port.events).toContainEqual(expect.stringMatching(/^start 2 /))
    expect(ons(port)).toEqual(ons(synth))
    expect(ons(port)).toHaveLength(1)
  })
})
