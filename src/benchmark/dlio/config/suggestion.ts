/** Changes of one letter, and swaps of two neighbours, that make one word of the other. */
function distance(a: string, b: string): number {
  let before: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1]
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      row[j] = Math.min(
        (last[j] as number) + 1,
        (row[j - 1] as number) + 1,
        (last[j - 1] as number) + (same ? 0 : 1),
        swapped ? (before[j - 2] as number) + 1 : Infinity,
      )
    }
    before = last
    last = row
  }
  return last[b.length] as number
}

/** Longer words are compared with no others: a name that long is no misspelling. */
const LONGEST = 100

/** The name that is most like `word`, where one is near: a third of its letters may differ. */
export function closest(word: string, names: Iterable<string>): string | undefined {
  if (word.length > LONGEST) return undefined
  const wanted = word.toLowerCase()
  let best: string | undefined
  let least = Math.max(1, Math.floor(word.length / 3)) + 0.5
  for (const name of names) {
    if (name.length > LONGEST || name === word) continue
    const plainName = name.toLowerCase()
    // A name that only has more in front or behind is near as well: num_files for num_files_train.
    const contains = word.length >= 4 && (plainName.startsWith(wanted) || wanted.startsWith(plainName))
    const found = contains ? 1 : distance(wanted, plainName)
    if (found < least) {
      least = found
      best = name
    }
  }
  return best
}
