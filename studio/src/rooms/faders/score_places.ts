// Where the bars of a drawn score lie, for the playhead and for clicks. Pure; pixels of the drawing.

export interface Measure {
  bar: number // from 1
  left: number
  top: number
  width: number
  height: number
  points: [share: number, x: number][] // where in the bar (0..1) something is drawn, from left to right
}

/** A score whose bars are numbered from 1, an upbeat too, as in the rest of the page; scores number the bar behind it 1. */
export function numberedFromOne(xml: string): string {
  if (!/<measure [^>]*\bnumber="0"/.test(xml)) return xml
  return xml.replace(/(<measure [^>]*\bnumber=")(\d+)"/g, (_, before: string, number: string) => `${before}${Number(number) + 1}"`)
}

/** The measure under a place; on a line of music the nearest one. */
export function measureAt(measures: readonly Measure[], x: number, y: number): Measure | null {
  const inLine = measures.filter((one) => y >= one.top - 20 && y <= one.top + one.height + 20)
  const away = (one: Measure) => Math.max(one.left - x, x - one.left - one.width, 0)
  return inLine.reduce<Measure | null>((best, one) => (best === null || away(one) < away(best) ? one : best), null)
}

/** The share of a bar (0..1) that lies at x. */
export function shareAt(measure: Measure, x: number): number {
  const points = ends(measure)
  for (let i = 1; i < points.length; i++) {
    const [[from, left], [to, right]] = [points[i - 1]!, points[i]!]
    if (x < right) return Math.max(from, from + ((x - left) / Math.max(right - left, 1)) * (to - from))
  }
  return 0.999
}

/** The x of a share of a bar. */
export function xAt(measure: Measure, share: number): number {
  const points = ends(measure)
  for (let i = 1; i < points.length; i++) {
    const [[from, left], [to, right]] = [points[i - 1]!, points[i]!]
    if (share <= to) return left + ((share - from) / Math.max(to - from, 1e-9)) * (right - left)
  }
  return measure.left + measure.width
}

function ends({ points, left, width }: Measure): [number, number][] {
  const first = points[0]?.[0] === 0 ? [] : [[0, left] as [number, number]]
  return [...first, ...points, [1, left + width]]
}
