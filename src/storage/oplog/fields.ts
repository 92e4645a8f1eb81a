/** Splits lines of tab- or comma-separated values (RFC 4180). */

/**
 * The fields of a line; undefined where it ends within quotes, so that the next line belongs to it. A quote counts only
 * at the beginning of a field that it also ends: others write their text as it is.
 */
export function splitFields(line: string, delimiter: '\t' | ','): string[] | undefined {
  if (!line.includes('"')) return line.split(delimiter)
  const fields: string[] = []
  let at = 0
  for (;;) {
    if (line[at] === '"') {
      const end = closingQuote(line, at + 1)
      if (end === undefined) return undefined
      if (end + 1 === line.length || line[end + 1] === delimiter) {
        fields.push(line.slice(at + 1, end).replaceAll('""', '"'))
        if (end + 1 === line.length) return fields
        at = end + 2
        continue
      }
    }
    const next = line.indexOf(delimiter, at)
    if (next < 0) {
      fields.push(line.slice(at))
      return fields
    }
    fields.push(line.slice(at, next))
    at = next + 1
  }
}

function closingQuote(line: string, from: number): number | undefined {
  for (let at = line.indexOf('"', from); at >= 0; at = line.indexOf('"', at + 2)) if (line[at + 1] !== '"') return at
  return undefined
}
