/** Whether keys are for what has the focus: a text, a number, a list. A slider wants its arrows alone. */
export function typing(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && /^(INPUT|SELECT|TEXTAREA)$/.test(target.tagName) && (target as HTMLInputElement).type !== 'range'
}
