// The package's warnings in a musician's words. Pure.

const WORDS: [RegExp, string][] = [
  [/^region \d+ \(([^)]*)\): /, '$1: '],
  [/\b(rhythm|note)-density\b/g, '$1 density'],
  [/; clamped$/, ', and end there'],
  [/\bsegments that ended more than [\d.]+ from the asked value: (\d+)/g, 'bars that did not get there: $1'],
  [/\b(\d+) of (\d+) segments cannot have what is asked while (.*?) stays: asked ([\d.]+) in the mean there, the nearest is ([\d.]+)/g,
    '$1 of $2 bars cannot have $4 while the $3 stays; the nearest is $5'],
  [/^(.*?)no bar is free: all are locked, or share four beats with one that is$/, '$1all of these bars are frozen'],
  [/: asked for more onsets than there are steps \(bars ([^)]*)\), so (.*) divided more finely/g, ': no room left in bars $1, so $2 cut finer'],
  [/\bsegments\b/g, 'bars'],
  [/ in the mean there/g, ''],
]

/** Warnings in one line, those of the chosen region before the others; `own` are what the answer says of it. */
export function message(all: readonly string[], own: readonly string[]): string {
  const chosen = new Set(own)
  const others = all.filter((one) => !own.some((mine) => one.endsWith(mine)))
  return [...chosen, ...others].map(plain).join(' · ')
}

export const plain = (warning: string): string => WORDS.reduce((text, [from, to]) => text.replace(from, to), warning)
