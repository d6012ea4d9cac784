// Points of a plane on a canvas: places to pixels and back, the nearest point, colours by a value. Pure.

export interface Plane {
  width: number
  height: number
  left: number // of the plane
  top: number
  scale: number // pixels a unit
}

export interface Place {
  x: number
  y: number
}

const MARGIN = 18

/** The plane that shows all of some places, with a margin. */
export function around(width: number, height: number, places: readonly Place[]): Plane {
  const xs = places.map((p) => p.x)
  const ys = places.map((p) => p.y)
  const [low, high] = [Math.min(0, ...xs), Math.max(0, ...xs)]
  const [bottom, top] = [Math.min(0, ...ys), Math.max(0, ...ys)]
  const scale = Math.min((width - 2 * MARGIN) / Math.max(high - low, 1e-6), (height - 2 * MARGIN) / Math.max(top - bottom, 1e-6))
  const wide = (width / scale - (high - low)) / 2
  const tall = (height / scale - (top - bottom)) / 2
  return { width, height, left: low - wide, top: top + tall, scale }
}

export const pixels = (plane: Plane, place: Place): Place => ({
  x: (place.x - plane.left) * plane.scale,
  y: (plane.top - place.y) * plane.scale,
})

export const place = (plane: Plane, at: Place): Place => ({
  x: plane.left + at.x / plane.scale,
  y: plane.top - at.y / plane.scale,
})

/** The index of the point nearest to a pixel; -1 if none is within `reach` pixels. */
export function nearest(plane: Plane, places: readonly Place[], at: Place, reach = 14): number {
  let found = -1
  let best = reach * reach
  places.forEach((one, i) => {
    const p = pixels(plane, one)
    const away = (p.x - at.x) ** 2 + (p.y - at.y) ** 2
    if (away < best) {
      best = away
      found = i
    }
  })
  return found
}

/** The index of the next point in the direction of an arrow key: a near one, and not too far aside. */
export function towards(places: readonly Place[], from: number, dx: number, dy: number): number {
  const start = places[from]
  if (!start) return 0
  let found = from
  let best = Infinity
  places.forEach((one, i) => {
    const ahead = (one.x - start.x) * dx + (one.y - start.y) * dy
    const aside = Math.abs((one.x - start.x) * dy) + Math.abs((one.y - start.y) * dx)
    if (i === from || ahead <= 1e-9 || aside > 2 * ahead) return
    const cost = ahead + 2 * aside
    if (cost < best) {
      best = cost
      found = i
    }
  })
  return found
}

/** The rank of each value among all, 0..1, so that every colour is used. */
export function ranks(values: readonly (number | null)[]): (number | null)[] {
  const known = values.filter((v): v is number => v !== null).sort((a, b) => a - b)
  return values.map((v) => {
    if (v === null) return null
    const first = known.findIndex((one) => one >= v)
    let last = first
    while (last + 1 < known.length && known[last + 1] === v) last++
    return known.length > 1 ? (first + last) / 2 / (known.length - 1) : 0.5
  })
}

/** A colour from blue over grey to orange, which differ in lightness too; on a dark page all of them are lighter. */
export function colour(share: number | null, dark = false): string {
  if (share === null) return `hsl(0 0% ${dark ? 65 : 55}%)`
  const hue = share < 0.5 ? 215 : 28
  const strength = Math.abs(share - 0.5) * 2
  const light = dark ? 58 + 22 * share : 38 + 22 * share
  return `hsl(${hue} ${Math.round(20 + 65 * strength)}% ${Math.round(light)}%)`
}
