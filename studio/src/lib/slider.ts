// What a slider does with a pointer and with keys. A drag back to its start ends without a change event in Chromium, so a
// drag ends where the pointer is let go, wherever that is. Pure but for the window's events.

export interface Slid {
  dragged: () => boolean // whether a drag is not released yet
  drag: (value: number) => void
  release: (value: number, byKey: boolean) => void
  letGo: () => void // back at its start, or a finger scrolled the page and did not drag
}

type Slider = { currentTarget: { valueAsNumber: number } }
type Pointer = Slider & { pointerType?: string }

/** The events of an input of type range. */
export function slider({ dragged, drag, release, letGo }: Slid) {
  let byKey = false
  let released: number | null = null // what the pointer's release was told, until the change event that may follow
  let start: number | null = null // where the pointer took it
  const end = (element: Slider['currentTarget']) => {
    if (!dragged()) return
    if (element.valueAsNumber === start) return letGo()
    released = element.valueAsNumber
    release(released, byKey)
  }
  return {
    oninput: ({ currentTarget }: Slider) => drag(currentTarget.valueAsNumber),
    onchange: ({ currentTarget }: Slider) => {
      const isKnown = released === currentTarget.valueAsNumber && !dragged()
      released = null
      if (!isKnown) release(currentTarget.valueAsNumber, byKey)
    },
    onkeydown: () => {
      byKey = true
      start = released = null
    },
    onpointerdown: ({ currentTarget }: Pointer) => {
      byKey = false
      released = null
      start = currentTarget.valueAsNumber
      const ended = (event: Event) => {
        window.removeEventListener('pointerup', ended, true)
        window.removeEventListener('pointercancel', ended, true)
        if (event.type === 'pointercancel' && (event as PointerEvent).pointerType === 'touch') {
          if (dragged()) letGo()
        } else end(currentTarget)
      }
      window.addEventListener('pointerup', ended, true)
      window.addEventListener('pointercancel', ended, true)
    },
    onblur: ({ currentTarget }: Slider) => end(currentTarget),
  }
}
