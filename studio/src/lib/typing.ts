/** Whether keys belong to the focused element: a text, a number or a list. A slider takes only its arrow keys. */
export function typing(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && /^(INPUT|SELECT|TEXTAREA)$/.test(target.tagName) && (target as HTMLInputElement).type !== 'range'
}
