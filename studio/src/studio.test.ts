import 'fake-indexeddb/auto'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import type { EditRequest, EditResponse, ErrorResponse, PieceInfo } from './lib/types'
import type { LiveEvents } from './lib/api'

/** A page's socket, whose answers a test gives. */
class FakeLive {
  static now: FakeLive
  asked: EditRequest[] = []
  stopped = 0
  constructor(readonly on: LiveEvents) {
    FakeLive.now = this
  }
  edit(request: Omit<EditRequest, 'seq'>): number {
    this.asked.push({ ...request, seq: this.asked.length + 1 } as EditRequest)
    return this.asked.length
  }
  stop(): void {
    this.stopped++
  }
}

const held: Record<string, Promise<void>> = {} // what the server's answers about pieces wait for
const kept = new Map<string, string>()
vi.stubGlobal('localStorage', { getItem: (key: string) => kept.get(key) ?? null, setItem: (key: string, value: string) => void kept.set(key, value) })
vi.mock('./lib/api', async (original) => ({
  ...(await original<object>()),
  Live: FakeLive,
  about: async () => ({ models: ['a', 'b'].map((name) => ({ name, codec: 'bars', codes: false })), pieces: [{ id: 'p', title: 'p' }], attributes: [] }),
  edit: async (request: EditRequest) => {
    const index = request.regions!.find((one) => one.variation)!.variation!.index
    return answerOf(0, [[0, 60], [400, 50 + index], [800, 64]])
  },
  source: async () => new Uint8Array([77, 84, 104, 100]).buffer,
  upload: async (name: string, data: ArrayBuffer) => {
    if (name === 'refused') throw new Error('this is no music')
    return { ...pieceOf(`up${new Uint8Array(data)[0]}`, 'a'), title: name }
  },
  piece: async (id: string, model: string) => {
    await held[`${id} ${model}`]
    return pieceOf(id, model)
  },
}))
const { Studio } = await import('./studio.svelte')
const works = await import('./rooms/faders/works')

const BARS = [0, 400, 800, 1200]
const columns = (rows: [onset: number, pitch: number][]) => ({
  onset: rows.map(([onset]) => onset), end: rows.map(([onset]) => onset + 100), pitch: rows.map(([, pitch]) => pitch),
  velocity: rows.map(() => 80), track: rows.map(() => 0),
})
const SOURCE: [number, number][] = [[0, 60], [400, 62], [800, 64]]
const MOVED: [number, number][] = [[0, 70], [400, 72], [800, 74]]

function pieceOf(id: string, model: string): PieceInfo {
  return {
    id, model, title: `${id}.mid`, tpq: 100, end: 1200, seconds: 3, bars: BARS, tempo: [[0, 500000]], metre: [[0, 4, 4]], pedal: [], channels: [0], messages: [],
    tracks: [{ number: 1, name: 'one', program: 73, drum: false, edited: true }], notes: columns(SOURCE), segments: [], means: { tempo: 100 }, warnings: [], is_score: false,
  } as unknown as PieceInfo
}

let studio: InstanceType<typeof Studio>
const live = () => FakeLive.now
const answerOf = (seq: number, rows: [number, number][]): EditResponse => ({
  seq, piece: studio.piece!.id, draft: false, notes: columns(rows), tempo: [[0, 500000]], pedal: [], end: 1200, segments: [], means: { before: {}, asked: {}, measured: {} },
  preset: {}, log_odds: null, warnings: [], regions: [], milliseconds: 1, part: null,
})
const answer = (seq: number, rows = MOVED, more: Partial<EditResponse> = {}) => live().on.onEdited({ ...answerOf(seq, rows), ...more })
const newest = () => live().asked.length
const pitches = () => studio.shown.map((note) => note.pitch)
const tempos = () => studio.layers.regions.map((one) => one.faders.moves.tempo)
const frozen = () => Object.entries(studio.layers.frozen).map(([bar, one]) => [Number(bar), ...one.rows.map((row) => row[3])])
const later = () => new Promise((resolve) => setTimeout(resolve, 20))

/** Wait until something holds, as what the browser stores does after a while. */
async function until(holds: () => unknown): Promise<void> {
  for (let i = 0; i < 100 && !(await holds()); i++) await later()
  expect(await holds()).toBeTruthy()
}

let number = 0
beforeEach(async () => {
  for (const key of Object.keys(held)) delete held[key]
  kept.clear()
  studio = new Studio()
  await studio.start()
  await studio.open(`piece ${number}`)
  await until(() => studio.earlier[0]?.piece === `piece ${number}`)
  number++
})

describe('a refused request', () => {
  it.each([null, 1])('is over, with or without its number', (seq) => {
    studio.set('tempo', 110)
    expect(studio.busy).toBe(true)
    live().on.onError({ seq: seq && newest(), error: 'it is wrong' } as ErrorResponse)
    expect([studio.busy, studio.problem]).toEqual([false, 'it is wrong'])
  })
})

describe('Cancel', () => {
  it('takes back the step that is computed, and those before it that were not answered', () => {
    studio.set('tempo', 110)
    answer(newest())
    studio.set('tempo', 120)
    studio.set('tempo', 130)
    studio.cancel()
    expect(tempos()).toEqual([20])
    studio.cancel()
    expect(tempos()).toEqual([10])
    expect(studio.busy).toBe(true)
    studio.cancel()
    expect([tempos(), studio.busy, live().stopped > 0]).toEqual([[10], false, true])
  })

  it('takes back an undo by what was undone', () => {
    studio.set('tempo', 110)
    studio.set('tempo', 120)
    answer(newest())
    studio.undo()
    studio.cancel()
    expect(tempos()).toEqual([20])
  })

  it('of a piece that was opened, or of another model, ends the computing alone', async () => {
    studio.set('tempo', 110)
    answer(newest())
    await studio.use('b')
    expect(studio.busy).toBe(true)
    studio.cancel()
    expect([tempos(), studio.busy]).toEqual([[10], false])
    await until(async () => (await works.workOn(studio.piece!.id))?.history.past.length)
    await studio.open(studio.piece!.id)
    expect(studio.busy).toBe(true)
    studio.cancel()
    expect([tempos(), studio.history.past.length, studio.busy]).toEqual([[10], 1, false])
    answer(newest()) // which was on its way
    expect(pitches()).toEqual([60, 62, 64])
  })
})

describe('bars that are not answered yet', () => {
  it('are frozen as they will be', () => {
    studio.set('tempo', 110)
    studio.select([2, 2])
    studio.toggleFrozen()
    expect(frozen()).toEqual([])
    answer(newest())
    expect(frozen()).toEqual([[2, 72]])
  })

  it('are not edited by hand before', () => {
    studio.set('tempo', 110)
    studio.pick(['0:400:72'])
    studio.edit((note) => ({ ...note, pitch: note.pitch + 1 }))
    expect(frozen()).toEqual([])
    answer(newest())
    expect(frozen()).toEqual([[2, 73]])
    studio.edit((note) => ({ ...note, pitch: note.pitch + 1 })) // before the next answer, which is known
    expect(frozen()).toEqual([[2, 74]])
    expect([...studio.picked]).toEqual(['0:400:74'])
  })

  it('are left alone where another move comes first', () => {
    studio.set('tempo', 110)
    studio.select([2, 2])
    studio.toggleFrozen()
    studio.undo()
    answer(newest())
    expect(frozen()).toEqual([])
    expect(studio.hint).toContain('not done')
  })
})

describe('another model', () => {
  it('does not bring the piece before back', async () => {
    const [first, second] = [studio.piece!.id, `piece ${number++}`]
    let go = () => undefined as void
    held[`${first} b`] = new Promise((resolve) => (go = resolve))
    const using = studio.use('b')
    await studio.open(second)
    go()
    await using
    expect([studio.piece!.id, studio.piece!.model, studio.model]).toEqual([second, 'b', 'b'])
  })

  it('is that of a piece that is being opened', async () => {
    const second = `piece ${number++}`
    let go = () => undefined as void
    held[`${second} a`] = new Promise((resolve) => (go = resolve))
    const opening = studio.open(second)
    await later()
    await studio.use('b')
    go()
    await opening
    expect([studio.piece!.id, studio.piece!.model, studio.model]).toEqual([second, 'b', 'b'])
  })
})

describe('picked notes', () => {
  it('are not picked any more where undo took them away', () => {
    studio.pick(['0:400:62'])
    studio.edit((note) => ({ ...note, pitch: note.pitch + 1 }))
    expect([...studio.picked]).toEqual(['0:400:63'])
    studio.undo()
    expect(studio.picked.size).toBe(0)
  })
})

describe('takes', () => {
  beforeEach(async () => {
    studio.set('tempo', 110)
    answer(newest())
    await studio.takes.request()
    expect(studio.takes.list).toHaveLength(4)
  })

  it('stay when a bar of one is taken and given back', () => {
    studio.takes.takeBar(1, 2)
    expect(frozen()).toEqual([[2, 51]])
    studio.undo()
    expect(frozen()).toEqual([])
    expect(studio.takes.list).toHaveLength(4)
    studio.undo() // the move that they are takes of
    expect(studio.takes.isOpen).toBe(false)
  })

  it('are what is taken home while they are heard', () => {
    const variations = () => studio.shownLayers.regions.map((one) => one.faders.variation)
    studio.takes.index = 2
    expect(variations()).toEqual([{ index: 2, count: 4 }])
    expect(studio.editLayers).toBe(studio.shownLayers)
    studio.takes.index = null
    expect(variations()).toEqual([null])
    studio.original = true
    expect(variations()).toEqual([])
    expect(studio.editLayers.regions).toHaveLength(1)
  })
})

it('loops over no bars behind the end of the music', () => {
  studio.set('tempo', 110)
  answer(newest(), MOVED, { end: 800 })
  studio.select([3, 3])
  studio.toggleLoop()
  expect(studio.player.loop).toBeNull()
  studio.select([2, 3])
  expect(studio.player.loop).toEqual([400, 800])
})

it('says that there is no room for another region', () => {
  const one = { name: '', bypass: false, lane: null, locked: [], faders: { ...studio.now, moves: { tempo: 1 } } }
  studio.write({ ...studio.layers, regions: Array.from({ length: 60 }, (_, i) => ({ ...one, id: i + 1, bars: [1, 1] })) })
  studio.select([2, 2])
  studio.set('tempo', 110)
  expect([studio.layers.regions.length, studio.hint]).toEqual([60, expect.stringContaining('remove one first')])
})

it('says something for a while, whatever is answered', () => {
  studio.say('read this')
  studio.set('tempo', 110)
  answer(newest(), MOVED, { warnings: ['x'] })
  expect([studio.hint, studio.notice]).toEqual(['read this', 'x'])
})

describe('a drag that ends where it began', () => {
  it('leaves no draft and no step', () => {
    studio.set('tempo', 110, true)
    studio.letGo()
    expect([studio.draft, studio.history.past.length, studio.resting]).toEqual([null, 0, true])
  })
})

describe('two tabs', () => {
  const step = (tempo: number) => ({ ...studio.layers, regions: [{ id: 1, name: 'x', bypass: false, bars: null, lane: null, locked: [], faders: { ...studio.now, moves: { tempo } } }] })

  /** What another tab stores of the piece. */
  async function elsewhere(tempo: number, names: string[] = []): Promise<void> {
    const { piece, history } = studio
    const next = tempo ? { past: [...history.past, history.now], now: step(tempo), future: [] } : history
    await works.keep({ piece: piece!.id, title: piece!.title, data: null, history: next, snapshots: names.map((name) => ({ name, state: history.now })) })
    const other = new BroadcastChannel('fadernets')
    other.postMessage({ kind: 'stored', piece: piece!.id, tab: 'other' })
    await later()
    other.close()
  }

  it('share snapshots, too', async () => {
    await elsewhere(0, ['one'])
    await until(() => studio.snapshots.length)
    expect(studio.snapshots.map((one) => one.name)).toEqual(['one'])
  })

  it('lose no step that came during a drag', async () => {
    studio.set('tempo', 110, true)
    await elsewhere(7, ['two'])
    await later()
    expect(studio.draft).not.toBeNull()
    studio.set('tempo', 120)
    await until(() => studio.snapshots.length)
    expect([studio.history.past.map((one) => one.regions.length), tempos()]).toEqual([[0, 1], [20]])
  })

  it('are told which piece was stored', async () => {
    const said: string[] = []
    const other = new BroadcastChannel('fadernets')
    other.onmessage = ({ data }: MessageEvent<{ kind: string; piece: string }>) => data.kind === 'stored' && said.push(data.piece)
    const first = studio.piece!.id
    studio.set('tempo', 110)
    studio.piece = pieceOf('another', 'a') // before it is stored
    await until(() => said.length)
    other.close()
    expect([...new Set(said)]).toEqual([first])
  })
})

it('says for as long as it lasts that nothing is stored', async () => {
  const save = vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementation(() => {
    throw new Error('full')
  })
  studio.set('tempo', 110)
  await until(() => studio.unsaved)
  save.mockRestore()
  studio.set('tempo', 120)
  await until(() => !studio.unsaved)
})

describe('work as a file', () => {
  const download = async (name: string): Promise<File> => new File([await studio.workFile(new Blob(['{"report": 1}']), studio.layers)], name)

  it('opens again, one step over what this browser has of the piece', async () => {
    studio.set('tempo', 110)
    studio.snapshot('mine')
    const file = await download('work.json')
    studio.set('tempo', 130)
    studio.removeSnapshot('mine')
    await studio.openFile(file)
    expect(studio.problem).toBe('')
    expect(studio.piece!.id).toBe('up77') // of the bytes in the file
    expect([tempos(), studio.snapshots.map((one) => one.name)]).toEqual([[10], ['mine']])
    studio.set('tempo', 150)
    await studio.openFile(file)
    expect(tempos()).toEqual([10])
    studio.undo()
    expect(tempos()).toEqual([50])
  })

  it('of a bundled piece opens that piece', async () => {
    await studio.open('p')
    studio.set('tempo', 120)
    const file = await download('Work.JSON')
    await studio.open(`piece ${number}`)
    await studio.openFile(file)
    expect([studio.piece!.id, tempos()]).toEqual(['p', [20]])
  })

  it('of another model is edited by that one; where its piece is refused, model and piece stay', async () => {
    await studio.use('b')
    const file = await download('b.json')
    await studio.use('a')
    const refused = JSON.parse(await file.text())
    refused.work.title = 'refused'
    await studio.openFile(new File([JSON.stringify(refused)], 'no.json'))
    expect([studio.problem, studio.model, studio.piece!.model]).toEqual(['this is no music', 'a', 'a'])
    await studio.openFile(file)
    expect([studio.problem, studio.model, studio.piece!.model, kept.get('model')]).toEqual(['', 'b', 'b', 'b'])
  })

  it('is refused where it is none, and what is open stays', async () => {
    const { id } = studio.piece!
    await studio.openFile(new File(['{}'], 'other.json'))
    expect(studio.problem).toContain('other.json: no work is in it')
    expect(studio.piece!.id).toBe(id)
  })
})
