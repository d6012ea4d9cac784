// Draws the roll on a canvas; a note's form, and not its colour alone, shows what an edit did to it.
import { row, x, y, type View } from './geometry'
import type { Difference, Note } from '../../lib/score'

export interface Colours {
  paper: string
  key: string
  line: string
  ink: string
  soft: string
  kept: string
  changed: string
  new: string
  gone: string
  accent: string
  mark: string
}

export interface Marks {
  bars: readonly number[] // ticks of bar lines
  beats: number // ticks a quarter-beat
  selection: [number, number] | null // bars
  locked: readonly number[]
  playhead: number
}

const BLACK = new Set([1, 3, 6, 8, 10])

export function draw(context: CanvasRenderingContext2D, view: View, difference: Difference, marks: Marks, colours: Colours): void {
  const { width, height, top } = view
  context.clearRect(0, 0, width, height)
  context.fillStyle = colours.paper
  context.fillRect(0, 0, width, height)
  const high = row(view)
  context.fillStyle = colours.key
  for (let pitch = view.low; pitch <= view.high; pitch++) {
    if (BLACK.has(pitch % 12)) context.fillRect(0, y(view, pitch), width, high)
  }
  drawBars(context, view, marks, colours)
  for (const note of [...difference.gone, ...difference.was]) drawGone(context, view, note, colours)
  for (const note of difference.notes) drawNote(context, view, note, note.change, colours)
  context.fillStyle = colours.accent
  const at = x(view, marks.playhead)
  if (at >= -2 && at <= width) context.fillRect(Math.round(at) - 1, 0, 2, height)
  context.clearRect(0, 0, 0, top)
}

function drawBars(context: CanvasRenderingContext2D, view: View, marks: Marks, colours: Colours): void {
  const { width, height, top } = view
  const { bars } = marks
  context.font = '11px system-ui, sans-serif'
  context.textBaseline = 'middle'
  const apart = ((bars[1] ?? 1) - (bars[0] ?? 0)) * view.perTick
  const every = apart >= 26 ? 1 : apart >= 13 ? 2 : apart >= 5 ? 5 : 10
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
    if (marks.locked.includes(bar)) hatch(context, left, top, right - left, height - top, colours.soft, 9, 0.35)
    context.strokeStyle = colours.line
    context.lineWidth = 1
    context.beginPath()
    context.moveTo(Math.round(left) + 0.5, 0)
    context.lineTo(Math.round(left) + 0.5, height)
    context.stroke()
    if (apart > 60) {
      context.globalAlpha = 0.45
      for (let beat = bars[i]! + marks.beats; beat < bars[i + 1]!; beat += marks.beats) {
        const at = Math.round(x(view, beat)) + 0.5
        context.beginPath()
        context.moveTo(at, top)
        context.lineTo(at, height)
        context.stroke()
      }
      context.globalAlpha = 1
    }
    if (bar % every === 1 || every === 1) {
      context.fillStyle = chosen ? colours.ink : colours.soft
      context.fillText(String(bar), left + 4, top / 2)
      if (marks.locked.includes(bar)) drawLock(context, left + 8 + context.measureText(String(bar)).width, top / 2)
    }
  }
  context.strokeStyle = colours.line
  context.beginPath()
  context.moveTo(0, top - 0.5)
  context.lineTo(width, top - 0.5)
  context.stroke()
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

function box(view: View, note: Note): [number, number, number, number] {
  const left = x(view, note.onset)
  const high = row(view)
  const inset = high > 6 ? 1 : 0
  return [left, y(view, note.pitch) + inset, Math.max((note.end - note.onset) * view.perTick - 1, 2), Math.max(high - 2 * inset, 2)]
}

function drawGone(context: CanvasRenderingContext2D, view: View, note: Note, colours: Colours): void {
  const [left, top, width, height] = box(view, note)
  if (left > view.width || left + width < 0) return
  context.strokeStyle = colours.gone
  context.lineWidth = 1
  context.setLineDash([3, 2])
  context.strokeRect(left + 0.5, top + 0.5, Math.max(width - 1, 1), Math.max(height - 1, 1))
  context.setLineDash([])
}

function drawNote(context: CanvasRenderingContext2D, view: View, note: Note, change: 'kept' | 'changed' | 'new', colours: Colours): void {
  const [left, top, width, height] = box(view, note)
  if (left > view.width || left + width < 0) return
  context.globalAlpha = 0.55 + (0.45 * note.velocity) / 127
  context.fillStyle = colours[change]
  context.fillRect(left, top, width, height)
  context.globalAlpha = 1
  if (change === 'changed') hatch(context, left, top, width, height, colours.paper, 5, 0.8)
  if (change === 'new') {
    // a frame and a bar at the onset, to be told apart without colour
    context.strokeStyle = colours.ink
    context.lineWidth = 1
    context.strokeRect(left + 0.5, top + 0.5, Math.max(width - 1, 1), Math.max(height - 1, 1))
    context.fillStyle = colours.ink
    context.fillRect(left, top, Math.min(3, width), height)
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

/** The page's colours in a form that a canvas takes. */
export function coloursOf(element: HTMLElement): Colours {
  const names = ['paper', 'key', 'line', 'ink', 'soft', 'kept', 'changed', 'new', 'gone', 'accent', 'mark'] as const
  const probe = document.createElement('i')
  element.append(probe)
  const found = Object.fromEntries(
    names.map((name) => {
      probe.style.color = `var(--${name})`
      return [name, getComputedStyle(probe).color]
    }),
  )
  probe.remove()
  return found as unknown as Colours
}
