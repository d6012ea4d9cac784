// Draws the map of segments on a canvas: a point a segment, a framed square where it is of the user's own piece, the chosen one
// with a ring and the place it was moved to.
import { colour, pixels, type Place, type Plane } from './plane'

const MANY = 400 // points: more of them are drawn smaller
const [SMALL, LARGE] = [2.5, 5] // radius of a point, in pixels

export interface Dot extends Place {
  share: number | null // the value that its colour shows, 0..1
  own: boolean
}

export interface Chosen {
  place: Place
  moved: Place | null
}

/** ink: the colour of rings. */
export function drawMap(context: CanvasRenderingContext2D, plane: Plane, dots: readonly Dot[], chosen: Chosen | null, ink: string, dark: boolean): void {
  context.clearRect(0, 0, plane.width, plane.height)
  const size = dots.length > MANY ? SMALL : LARGE
  context.strokeStyle = ink
  for (const dot of dots) {
    const at = pixels(plane, dot)
    context.fillStyle = colour(dot.share, dark)
    context.lineWidth = dot.own ? 2 : 1
    context.globalAlpha = dot.own ? 1 : 0.9
    context.beginPath()
    if (dot.own) context.rect(at.x - size, at.y - size, 2 * size, 2 * size)
    else context.arc(at.x, at.y, size, 0, 7)
    context.fill()
    if (dot.own) context.stroke()
  }
  context.globalAlpha = 1
  if (!chosen) return
  const at = pixels(plane, chosen.place)
  context.lineWidth = 2
  context.beginPath()
  context.arc(at.x, at.y, size + 5, 0, 7)
  context.stroke()
  if (!chosen.moved) return
  const to = pixels(plane, chosen.moved)
  context.setLineDash([4, 3])
  context.beginPath()
  context.moveTo(at.x, at.y)
  context.lineTo(to.x, to.y)
  context.stroke()
  context.setLineDash([])
  context.strokeRect(to.x - 5, to.y - 5, 10, 10)
}
