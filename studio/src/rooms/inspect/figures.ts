// The inspection room's figures as files: tables (CSV) and pictures (SVG, dark on white). Pure.
import { colour, ranks } from './plane'
import type { InspectResponse, MapInfo } from '../../lib/types'

type Group = InspectResponse['groups'][number]

const cell = (value: string | number | null): string => {
  const text = value === null ? '' : String(value)
  return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

const table = (rows: readonly (readonly (string | number | null)[])[]): string => rows.map((row) => row.map(cell).join(',')).join('\n') + '\n'

/** A row a dimension: its mean change under each amount, and whether it is one of the group. */
export const changesCsv = (group: Group, names: readonly string[]): string =>
  table([
    ['dimension', ...group.amounts.map((amount) => `${group.name} ${amount} ${group.unit}`), 'in the group'],
    ...names.map((name, d) => [name, ...group.change.map((row) => row[d] ?? null), group.dimensions.includes(d) ? 1 : 0]),
  ])

/** A row a segment. */
export const mapCsv = (map: MapInfo): string => {
  const values = Object.keys(map.points[0]?.values ?? {})
  return table([
    ['piece', 'bar', 'x', 'y', 'uploaded', ...values],
    ...map.points.map((p) => [p.title, p.bar, p.x, p.y, p.own ? 1 : 0, ...values.map((name) => p.values[name] ?? null)]),
  ])
}

const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')

const svg = (width: number, height: number, title: string, body: string): string =>
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="system-ui, sans-serif" font-size="12">` +
  `<title>${escaped(title)}</title><rect width="${width}" height="${height}" fill="#fff"/>${body}</svg>\n`

const label = (x: number, y: number, text: string, more = ''): string => `<text x="${x}" y="${y}" fill="#222" ${more}>${escaped(text)}</text>`

/** Bars of the mean change of some dimensions, one bar an amount, those of the group in the second colour. */
export function changesSvg(group: Group, names: readonly string[], shown: readonly number[], title: string): string {
  const [left, wide, top, thin] = [110, 460, 40, 4]
  const tall = thin * group.amounts.length + 8
  const most = Math.max(1e-9, ...shown.flatMap((d) => group.change.map((row) => Math.abs(row[d] ?? 0))))
  const middle = left + wide / 2
  const rows = shown.map((d, i) => {
    const y = top + i * tall
    const bars = group.change.map((row, a) => {
      const size = ((row[d] ?? 0) / most) * (wide / 2)
      const fill = group.dimensions.includes(d) ? '#b45f06' : '#888'
      return `<rect x="${Math.min(middle, middle + size).toFixed(1)}" y="${y + a * thin}" width="${Math.abs(size).toFixed(1)}" height="${thin - 1}" fill="${fill}"/>`
    })
    return label(left - 8, y + tall / 2, names[d] ?? String(d), 'text-anchor="end"') + bars.join('')
  })
  const end = top + shown.length * tall
  const axis = `<path d="M${middle} ${top - 6}V${end}" stroke="#222"/>`
  const ends = [-most, 0, most].map((v, i) => label(left + (i * wide) / 2, end + 16, v.toFixed(2), 'text-anchor="middle"'))
  const under = label(middle, end + 34, `mean change of z; bars: ${group.amounts.join(', ')} ${group.unit}`, 'text-anchor="middle"')
  return svg(left + wide + 30, end + 46, title, label(10, 20, title) + rows.join('') + axis + ends.join('') + under)
}

/** The axes' names, with the share of the variance that each explains. */
export const axesOf = (map: MapInfo): [string, string] => {
  const share = (i: number) => (map.explained[i] === undefined ? '' : `, ${Math.round(100 * map.explained[i]!)} % of the variance`)
  return map.method === 'tsne' ? ['t-SNE 1', 't-SNE 2'] : [`principal component 1${share(0)}`, `principal component 2${share(1)}`]
}

/** The map with its axes and its legend. */
export function mapSvg(map: MapInfo, by: string, title: string): string {
  const [left, top, size] = [50, 40, 560]
  const xs = map.points.map((p) => p.x)
  const ys = map.points.map((p) => p.y)
  const scale = (size - 20) / Math.max(1e-9, Math.max(...xs) - Math.min(...xs), Math.max(...ys) - Math.min(...ys))
  const values = map.points.map((p) => p.values[by] ?? null)
  const shares = ranks(values)
  const dots = map.points.map((p, i) => {
    const [x, y] = [left + 10 + (p.x - Math.min(...xs)) * scale, top + size - 10 - (p.y - Math.min(...ys)) * scale]
    const look = `fill="${colour(shares[i] ?? null)}" stroke="${p.own ? '#000' : '#fff'}" stroke-width="${p.own ? 2 : 0.5}"`
    return `<circle cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" r="${p.own ? 6 : 4.5}" ${look}><title>${escaped(`${p.title}, bar ${p.bar}`)}</title></circle>`
  })
  const frame = `<rect x="${left}" y="${top}" width="${size}" height="${size}" fill="none" stroke="#999"/>`
  const [across, up] = axesOf(map)
  const axes = label(left + size / 2, top + size + 20, across, 'text-anchor="middle"') + label(0, 0, up, `text-anchor="middle" transform="translate(32 ${top + size / 2}) rotate(-90)"`)
  const steps = [0, 0.25, 0.5, 0.75, 1]
  const legend = steps.map((s, i) => `<rect x="${left + 150 + 26 * i}" y="${top + size + 32}" width="26" height="12" fill="${colour(s)}"/>`).join('')
  const [low, high] = extremes(values)
  const words = label(left, top + size + 43, by.replaceAll('_', ' ')) + label(left + 142, top + size + 43, low, 'text-anchor="end"') + label(left + 288, top + size + 43, high)
  const own = map.points.some((p) => p.own) ? `<circle cx="${left + 400}" cy="${top + size + 38}" r="6" fill="#bbb" stroke="#000" stroke-width="2"/>${label(left + 412, top + size + 43, 'your piece')}` : ''
  return svg(left + size + 20, top + size + 60, title, label(10, 20, title) + frame + dots.join('') + axes + legend + words + own)
}

/** The lowest and the highest of some values, as a legend writes them. */
export function extremes(values: readonly (number | null)[]): [string, string] {
  const known = values.filter((v): v is number => v !== null)
  const written = (v: number) => (Number.isInteger(v) ? String(v) : v.toFixed(2))
  return known.length ? [written(Math.min(...known)), written(Math.max(...known))] : ['', '']
}
