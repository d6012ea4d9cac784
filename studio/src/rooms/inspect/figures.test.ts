import { describe, expect, it } from 'vitest'
import { axesOf, changesCsv, changesSvg, extremes, mapCsv, mapSvg } from './figures'
import type { InspectResponse, MapInfo } from '../../lib/types'

const group: InspectResponse['groups'][number] = {
  name: 'pitch', unit: 'semitones', amounts: [1, 2], change: [[0.5, -0.1], [1, -0.2]], dimensions: [0], threshold: 0.4, linearity: 1, clips: 40,
}
const map: MapInfo = {
  method: 'pca', methods: ['pca'], explained: [0.31, 0.2],
  points: [
    { title: 'A, "one"', bar: 1, x: 0, y: 1, own: false, values: { rhythm_density: 0.25, arousal: null } },
    { title: 'mine <&', bar: 2, x: 2, y: -1, own: true, values: { rhythm_density: 0.5, arousal: 0.9 } },
  ],
}

describe('figures as files', () => {
  it('are tables', () => {
    expect(changesCsv(group, ['z 0', 'z 1'])).toBe('dimension,pitch 1 semitones,pitch 2 semitones,in the group\nz 0,0.5,1,1\nz 1,-0.1,-0.2,0\n')
    expect(mapCsv(map)).toBe('piece,bar,x,y,uploaded,rhythm_density,arousal\n"A, ""one""",1,0,1,0,0.25,\nmine <&,2,2,-1,1,0.5,0.9\n')
  })

  it('are pictures with axes and a legend', () => {
    const bars = changesSvg(group, ['z 0', 'z 1'], [0, 1], 'pitch')
    expect(bars.match(/<rect/g)).toHaveLength(5)
    expect(bars).toContain('mean change of z')
    const drawn = mapSvg(map, 'rhythm_density', 'A map')
    expect(drawn.match(/<circle/g)).toHaveLength(3)
    for (const word of ['principal component 1, 31 % of the variance', 'rhythm density', '0.25', '0.50', 'your piece', 'mine &lt;&amp;, bar 2']) expect(drawn).toContain(word)
  })

  it('name their axes and ends', () => {
    expect(axesOf({ ...map, method: 'tsne', explained: [] })).toEqual(['t-SNE 1', 't-SNE 2'])
    expect(extremes([null, 3, 1.5])).toEqual(['1.50', '3'])
    expect(extremes([])).toEqual(['', ''])
  })
})
