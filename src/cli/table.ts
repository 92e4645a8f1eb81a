import { print } from './run.ts'

/** A number, alone or with a unit: "1,204", "3.1 %", "1.31x", "28.4 KiB", "1.2 GiB/s", "35 us"; or none: "-". */
const NUMBER = /^(?:-|[\d,.]+(?:x| %| [kKMGTP]?i?B(?:\/s)?| [mu]?s)?)$/

/** Columns, numbers to the right: they are what holds digits in every row. */
export function printTable(heads: readonly string[], rows: readonly (readonly string[])[]): void {
  const columns = heads.map((head, i) => {
    const cells = rows.map((row) => row[i] ?? '')
    const width = Math.max(head.length, ...cells.map((cell) => cell.length))
    const right = cells.every((cell) => NUMBER.test(cell) || cell === 'unknown')
    return (cell: string) => (right ? cell.padStart(width) : cell.padEnd(width))
  })
  for (const row of [heads, ...rows])
    print(
      columns
        .map((align, i) => align(row[i] ?? ''))
        .join('  ')
        .trimEnd(),
    )
}
