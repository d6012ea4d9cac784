import { beforeEach, expect, it, vi } from 'vitest'
import { slider } from './slider'

const target = new EventTarget()
vi.stubGlobal('window', target)
const element = { valueAsNumber: 0.2 }
const event = { currentTarget: element }
let said: string[] = []
let isDragged = false
const one = slider({
  dragged: () => isDragged,
  drag: (value) => ((isDragged = true), said.push(`drag ${value}`)),
  release: (value, byKey) => ((isDragged = false), said.push(`release ${value}${byKey ? ' by key' : ''}`)),
  letGo: () => ((isDragged = false), said.push('let go')),
})
const move = (value: number) => {
  element.valueAsNumber = value
  one.oninput(event)
}
const let_ = (type: string, pointerType = 'mouse') => target.dispatchEvent(Object.assign(new Event(type), { pointerType }))

beforeEach(() => {
  element.valueAsNumber = 0.2
  said = []
  isDragged = false
})

it('goes back where it is let go at its start, though nothing changed', () => {
  one.onpointerdown(event)
  move(0.5)
  move(0.2)
  let_('pointerup')
  let_('pointerup')
  expect(said).toEqual(['drag 0.5', 'drag 0.2', 'let go'])
})

it('is released once where the change event comes, too', () => {
  one.onpointerdown(event)
  move(0.5)
  let_('pointerup')
  one.onchange(event)
  one.onblur(event)
  expect(said).toEqual(['drag 0.5', 'release 0.5'])
  one.onpointerdown(event)
  move(0.7)
  one.onchange(event) // first, as some browsers have it
  let_('pointerup')
  expect(said.slice(2)).toEqual(['drag 0.7', 'release 0.7'])
})

it('is moved by keys', () => {
  one.onkeydown()
  move(0.3)
  one.onchange(event)
  expect(said).toEqual(['drag 0.3', 'release 0.3 by key'])
})

it('is released when it loses the focus or its pointer, and goes back where a finger scrolls', () => {
  one.onpointerdown(event)
  move(0.4)
  one.onblur(event)
  one.onpointerdown(event)
  move(0.5)
  let_('pointercancel', 'pen')
  one.onpointerdown(event)
  move(0.6)
  let_('pointercancel', 'touch')
  expect(said).toEqual(['drag 0.4', 'release 0.4', 'drag 0.5', 'release 0.5', 'drag 0.6', 'let go'])
})
