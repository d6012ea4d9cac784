// Draws the map of segments on a canvas: a point a segment, the chosen one with a ring and the place it was moved to.
import { colour, pixels, type Place, type Plane } from './plane'

const MANY = 400 // points: more of them are drawn smaller
const [SMALL, LARGE] = [2.5, 5] // radius of a point, in pixels

export interface Chosen {
  place: Place
  moved: Place | null
}

/** shares: the value of each place that its colour shows, 0..1. ink: the colour of the ring. */
export function drawMap(
  context: CanvasRenderingContext2D, plane: Plane, places: readonly Place[], shares: readonly (number | null)[], chosen: Chosen | null, ink: string,
): void {
  context.clearRect(0, 0, plane.width, plane.height)
  const size = places.length > MANY ? SMALL : LARGE
  places.forEach((place, i) => {
    const at = pixels(plane, place)
    context.fillStyle = colour(shares[i] ?? null)
    context.beginPath()
    context.arc(at.x, at.y, size, 0, 7)
    context.fill()
  })
  if (!chosen) return
  const at = pixels(plane, chosen.place)
  context.strokeStyle = ink
  context.lineWidth = 2
  context.beginPath()
  context.arc(at.x, at.y, size + 4, 0, 7)
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
