// Draws the roll and its keyboard on canvases; a note's form, and not its colour alone, shows what an edit did to it.
import { beatsOf, middleBar, row, x, y, type View } from './geometry'
import { COLOURS } from './lanes'
import { firstFrom, keyOf, nameOf, type Difference, type Note } from '../../lib/score'

export interface Colours {
  paper: string
  key: string
  line: string
  ink: string
  soft: string
  changed: string
  new: string
  gone: string
  accent: string
  mark: string
  ivory: string
  ebony: string
  lanes: string[]
}

export interface Marks {
  bars: readonly number[] // ticks of bar lines
  beat: (tick: number) => number // ticks of a beat of the bar that begins there
  selection: [number, number] | null // bars
  frozen: readonly number[]
  kept: ReadonlySet<number> // bars in which something is kept
  picked: ReadonlySet<string> // keys of notes
  audible: readonly boolean[] // of each lane
  colour: (note: Note) => number // of its lane
  drums: readonly number[] // pitches that drums play, from the highest on
  isDrum: (note: Note) => boolean
}

export interface Front {
  playhead: number
  marquee: [number, number, number, number] | null // left, top, width, height
  carried: { ticks: number; by: number } | null // how far the picked notes are dragged
}

const BLACK = new Set([1, 3, 6, 8, 10])
export const DRUM_ROW = 7 // pixels
const KEPT = 3 // pixels of the line under the numbers of bars in which something is kept
const FAINT = 0.22 // opacity of what is not heard

export function draw(context: CanvasRenderingContext2D, view: View, difference: Difference, marks: Marks, colours: Colours): void {
  const { width, height, bottom } = view
  context.clearRect(0, 0, width, height)
  context.fillStyle = colours.paper
  context.fillRect(0, 0, width, height)
  const high = row(view)
  context.fillStyle = colours.key
  for (let pitch = view.low; pitch <= view.high; pitch++) {
    if (BLACK.has(pitch % 12)) context.fillRect(0, y(view, pitch), width, high)
  }
  if (bottom) {
    context.fillStyle = colours.paper
    context.fillRect(0, height - bottom, width, bottom)
    line(context, 0, height - bottom - 0.5, width, height - bottom - 0.5, colours.line)
  }
  drawBars(context, view, marks, colours)
  for (const note of difference.gone) drawGone(context, view, note, marks, colours)
  for (const note of difference.was) drawGone(context, view, note, marks, colours)
  for (const note of inSight(difference.notes, view)) drawNote(context, view, note, marks, colours)
}

/** What lies over the notes and moves while they stay: the playhead, a marquee, notes that are dragged. */
export function drawFront(context: CanvasRenderingContext2D, view: View, notes: Difference['notes'], marks: Marks, front: Front, colours: Colours): void {
  const { width, height } = view
  context.clearRect(0, 0, width, height)
  if (front.carried) {
    const { ticks, by } = front.carried
    for (const note of notes.filter((one) => marks.picked.has(keyOf(one)))) {
      const moved = { ...note, onset: note.onset + ticks, end: note.end + ticks, pitch: note.pitch + by }
      context.strokeStyle = colours.accent
      context.lineWidth = 1.5
      context.strokeRect(...boxOf(view, moved, marks.drums, marks.isDrum(note)))
    }
  }
  if (front.marquee) {
    const [left, from, wide, deep] = front.marquee
    context.fillStyle = colours.mark
    context.fillRect(left, from, wide, deep)
    context.strokeStyle = colours.accent
    context.strokeRect(left + 0.5, from + 0.5, wide, deep)
  }
  context.fillStyle = colours.accent
  const at = x(view, front.playhead)
  if (at >= -2 && at <= width) context.fillRect(Math.round(at) - 1, 0, 2, height)
}

const middles = new WeakMap<readonly number[], number>() // the length of the middle bar, in ticks
const longest = new WeakMap<readonly Note[], number>() // the length of the longest of some notes, in ticks

/** The notes that may lie in sight, of notes sorted by onset. */
export function inSight<T extends Note>(notes: readonly T[], view: Pick<View, 'start' | 'width' | 'perTick'>): T[] {
  let most = longest.get(notes)
  if (most === undefined) {
    most = 0
    for (const note of notes) most = Math.max(most, note.end - note.onset)
    longest.set(notes, most)
  }
  const spare = 4 / view.perTick
  return notes.slice(firstFrom(notes, view.start - most - spare), firstFrom(notes, view.start + view.width / view.perTick + spare))
}

function line(context: CanvasRenderingContext2D, x1: number, y1: number, x2: number, y2: number, colour: string): void {
  context.strokeStyle = colour
  context.lineWidth = 1
  context.beginPath()
  context.moveTo(x1, y1)
  context.lineTo(x2, y2)
  context.stroke()
}

function drawBars(context: CanvasRenderingContext2D, view: View, marks: Marks, colours: Colours): void {
  const { width, height, top } = view
  const { bars } = marks
  const frozen = new Set(marks.frozen)
  context.font = '11px system-ui, sans-serif'
  context.textBaseline = 'middle'
  let middle = middles.get(bars)
  if (middle === undefined) middles.set(bars, (middle = middleBar(bars)))
  const apart = middle * view.perTick
  const every = [1, 2, 5, 10, 20, 50, 100].find((n) => apart * n >= 28) ?? 200
  for (let i = 0; i + 1 < bars.length; i++) {
    const bar = i + 1
    const left = x(view, bars[i]!)
    const right = x(view, bars[i + 1]!)
    if (right < 0 || left > width) continue
    const chosen = marks.selection !== null && bar >= marks.selection[0] && bar <= marks.selection[1]
    if (chosen) {
      context.fillStyle = colours.mark
      context.fillRect(left, 0, right - left, height)
    }
    if (frozen.has(bar)) hatch(context, left, top, right - left, height - top, colours.soft, 9, 0.3)
    if (apart > 4 || bar % every === 0) line(context, Math.round(left) + 0.5, 0, Math.round(left) + 0.5, height, colours.line)
    if (apart > 60) {
      context.globalAlpha = 0.45
      for (const beat of beatsOf(bars, bar, marks.beat(bars[i]!))) {
        const at = Math.round(x(view, beat)) + 0.5
        line(context, at, top, at, height, colours.line)
      }
      context.globalAlpha = 1
    }
    if (marks.kept.has(bar)) {
      context.fillStyle = colours.soft
      context.fillRect(left, top - KEPT - 1, right - left, KEPT)
    }
    const named = every === 1 || bar === 1 || bar % every === 0
    if (named) {
      context.fillStyle = chosen ? colours.ink : colours.soft
      context.fillText(String(bar), left + 4, top / 2)
    }
    if (frozen.has(bar) && apart > 18) {
      context.fillStyle = colours.soft
      drawLock(context, named ? left + 8 + context.measureText(String(bar)).width : left + 4, top / 2)
    }
  }
  line(context, 0, top - 0.5, width, top - 0.5, colours.line)
}

/** A padlock, drawn because not every font has one. */
function drawLock(context: CanvasRenderingContext2D, left: number, middle: number): void {
  context.fillRect(left, middle - 1, 8, 6)
  context.strokeStyle = context.fillStyle
  context.lineWidth = 1.5
  context.beginPath()
  context.arc(left + 4, middle - 1.5, 2.5, Math.PI, 0)
  context.stroke()
}

/** Where a note lies: left, top, width, height. */
export function boxOf(view: View, note: Note, drums: readonly number[], isDrum: boolean): [number, number, number, number] {
  const left = x(view, note.onset)
  const wide = Math.max((note.end - note.onset) * view.perTick - 1, 2)
  if (isDrum) return [left, view.height - view.bottom + 1 + DRUM_ROW * Math.max(0, drums.indexOf(note.pitch)), Math.min(wide, 6), DRUM_ROW - 1]
  const high = row(view)
  const inset = high > 6 ? 1 : 0
  return [left, y(view, note.pitch) + inset, wide, Math.max(high - 2 * inset, 2)]
}

function drawGone(context: CanvasRenderingContext2D, view: View, note: Note, marks: Marks, colours: Colours): void {
  const [left, top, width, height] = boxOf(view, note, marks.drums, marks.isDrum(note))
  if (left > view.width || left + width < 0) return
  context.strokeStyle = colours.gone
  context.lineWidth = 1
  context.setLineDash([3, 2])
  context.strokeRect(left + 0.5, top + 0.5, Math.max(width - 1, 1), Math.max(height - 1, 1))
  context.setLineDash([])
}

function drawNote(context: CanvasRenderingContext2D, view: View, note: Difference['notes'][number], marks: Marks, colours: Colours): void {
  const { change } = note
  const left = x(view, note.onset)
  if (left > view.width || left + (note.end - note.onset) * view.perTick + 4 < 0) return
  const [, top, width, height] = boxOf(view, note, marks.drums, marks.isDrum(note))
  const own = colours.lanes[marks.colour(note)]!
  const heard = marks.audible[note.lane ?? -1] ?? true
  context.globalAlpha = heard ? 0.6 + (0.4 * note.velocity) / 127 : FAINT
  context.fillStyle = change === 'kept' || note.stays ? own : colours[change]
  context.fillRect(left, top, width, height)
  context.globalAlpha = heard ? 1 : FAINT
  if (change === 'changed' && width > 3) hatch(context, left, top, width, height, colours.paper, 5, heard ? 0.75 : FAINT)
  if (change === 'new' && width > 4 && height > 3) {
    // a frame and a bar at the onset, to be told apart without colour
    context.strokeStyle = colours.ink
    context.lineWidth = 1
    context.strokeRect(left + 0.5, top + 0.5, width - 1, height - 1)
    context.fillStyle = colours.ink
    context.fillRect(left, top, Math.min(3, width / 3), height)
  }
  if (change !== 'kept' && height > 6) {
    context.fillStyle = own // whose it is
    context.fillRect(left, top + height - 2, width, 2)
  }
  context.globalAlpha = 1
  if (marks.picked.size && marks.picked.has(keyOf(note))) {
    context.strokeStyle = colours.accent
    context.lineWidth = 2
    context.strokeRect(left - 1, top - 1, width + 2, height + 2)
  }
}

function hatch(
  context: CanvasRenderingContext2D, left: number, top: number, width: number, height: number, colour: string, apart: number, alpha: number,
): void {
  context.save()
  context.beginPath()
  context.rect(left, top, width, height)
  context.clip()
  context.strokeStyle = colour
  context.globalAlpha = alpha
  context.lineWidth = 1
  context.beginPath()
  for (let at = left - height; at < left + width; at += apart) {
    context.moveTo(at, top + height)
    context.lineTo(at + height, top)
  }
  context.stroke()
  context.restore()
}

/** The piano's keys beside the roll, with the names of the C's, and of all white keys where there is room. */
export function drawKeys(context: CanvasRenderingContext2D, view: View, width: number, colours: Colours): void {
  context.clearRect(0, 0, width, view.height)
  context.fillStyle = colours.ivory
  context.fillRect(0, 0, width, view.height)
  const high = row(view)
  context.textBaseline = 'middle'
  for (let pitch = view.low; pitch <= view.high; pitch++) {
    const at = y(view, pitch)
    if (BLACK.has(pitch % 12)) {
      context.fillStyle = colours.ebony
      context.fillRect(0, at, width * 0.55, high)
    } else if (pitch % 12 === 0 || pitch % 12 === 5) line(context, 0, Math.round(at + high) - 0.5, width, Math.round(at + high) - 0.5, colours.soft)
    const isC = pitch % 12 === 0
    if (isC || (high >= 13 && !BLACK.has(pitch % 12))) {
      context.font = `${isC ? 600 : 400} ${Math.min(11, Math.max(9, high))}px system-ui, sans-serif`
      context.fillStyle = colours.ebony
      context.textAlign = 'right'
      context.fillText(nameOf(pitch), width - 4, at + high / 2)
      context.textAlign = 'left'
    }
  }
  if (view.bottom >= 2 * DRUM_ROW) {
    context.font = '10px system-ui, sans-serif'
    context.fillStyle = colours.ebony
    context.fillText('drums', 5, view.height - view.bottom / 2)
  }
  context.fillStyle = colours.paper
  context.fillRect(0, 0, width, view.top)
  line(context, width - 0.5, 0, width - 0.5, view.height, colours.line)
  line(context, 0, view.top - 0.5, width, view.top - 0.5, colours.line)
}

/** The page's colours in a form that a canvas takes. */
export function coloursOf(element: HTMLElement): Colours {
  const names = ['paper', 'key', 'line', 'ink', 'soft', 'changed', 'new', 'gone', 'accent', 'mark', 'ivory', 'ebony'] as const
  const probe = document.createElement('i')
  element.append(probe)
  const read = (name: string) => {
    probe.style.color = `var(--${name})`
    return getComputedStyle(probe).color
  }
  const found = Object.fromEntries(names.map((name) => [name, read(name)]))
  const lanes = Array.from({ length: COLOURS }, (_, i) => read(`lane-${i}`))
  probe.remove()
  return { ...found, lanes } as unknown as Colours
}
