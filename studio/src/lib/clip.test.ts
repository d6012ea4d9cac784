import { describe, expect, it } from 'vitest'
import { changedBars, clipOf, type Clip } from './clip'

const clip: Clip = {
  notes: [
    { onset: 0, end: 480, pitch: 60, velocity: 80, track: 0 },
    { onset: 1920, end: 2400, pitch: 62, velocity: 81, track: 0 },
    { onset: 2400, end: 9000, pitch: 62, velocity: 82, track: 0 },
    { onset: 1920, end: 2000, pitch: 36, velocity: 100, track: 1 },
  ],
  channels: [2, 9], names: ['Flöte', ''], tpq: 480,
  messages: [[0, 0xc2, 10], [100, 0xc2, 73], [2400, 0xc2, 71], [0, 0xb2, 7, 90], [0, 0xc5, 1]],
  pedal: [],
  tempo: [[0, 500000], [960, 600000]], metre: [[0, 3, 4]],
}
const bytes = [...clipOf(clip, 1920, 3840)]
const found = (...wanted: number[]) => bytes.some((_, i) => wanted.every((byte, k) => bytes[i + k] === byte))

describe('a clip of some bars', () => {
  it('is a MIDI file with what holds there', () => {
    expect(bytes.slice(0, 14)).toEqual([77, 84, 104, 100, 0, 0, 0, 6, 0, 1, 0, 3, 1, 224])
    expect(found(0xff, 0x51, 3, 0x09, 0x27, 0xc0)).toBe(true) // 600000
    expect(found(0xff, 0x58, 4, 3, 2, 24, 8)).toBe(true)
    expect(found(0xc2, 73)).toBe(true)
    expect(found(0xc2, 71)).toBe(true)
    expect(found(0xc2, 10)).toBe(false)
    expect(found(0xc5, 1)).toBe(false)
    expect(found(0xb2, 7, 90)).toBe(true)
  })

  it('holds the notes that begin in it, and cuts them at its end', () => {
    expect(found(0x92, 60)).toBe(false)
    expect(found(0x92, 62, 81, 0x83, 0x60, 0x82, 62, 64)).toBe(true) // ends before the next begins
    expect(found(0x92, 62, 82, 0x8b, 0x20, 0x82, 62, 64)).toBe(true) // 1440 ticks
    expect(found(0x99, 36, 100)).toBe(true)
  })
})

describe('the pedal of a clip', () => {
  const pedal = [[0, 2, 100], [1000, 2, 127], [2400, 2, 0], [2880, 2, 90], [4000, 2, 0], [100, 9, 0], [1920, 5, 70]]
  const track = [...clipOf({ ...clip, notes: clip.notes.slice(0, 2), messages: [], pedal }, 1920, 3840)]
  const pedals = track.flatMap((byte, i) => (byte === 0xb2 && track[i + 1] === 64 ? [track[i + 2]] : []))

  it('is as it was at the begin, changes, and is up at the end', () => {
    expect(pedals).toEqual([127, 0, 90, 0])
    expect(track.some((byte, i) => byte === 0xb5 && track[i + 1] === 64)).toBe(false)
  })
})

it('says how many MIDI clocks a beat has', () => {
  const of = (metre: number[][]) => {
    const bytes = [...clipOf({ ...clip, metre }, 0, 3840)]
    return bytes.flatMap((byte, i) => (byte === 0xff && bytes[i + 1] === 0x58 ? [bytes.slice(i + 3, i + 6)] : []))
  }
  expect(of([[0, 6, 8], [1440, 2, 2], [2880, 5, 8]])).toEqual([[6, 3, 36], [2, 1, 24], [5, 3, 12]])
})

describe('changed bars', () => {
  it('are from the first to the last tick that differs', () => {
    const lines = [0, 1920, 3840, 5760]
    expect(changedBars([], lines)).toBeNull()
    expect(changedBars([2000], lines)).toEqual([2, 2])
    expect(changedBars([5000, 100], lines)).toEqual([1, 3])
    expect(changedBars([9000], lines)).toEqual([3, 3])
  })
})
