import { Command } from 'commander'
import { formatBytes } from '../bytes.ts'
import { HeadraceError } from '../errors.ts'
import { openObjectSource } from '../formats/byte-source.ts'
import { inspect } from '../formats/inspect.ts'
import type { ByteSource, InspectedPart, Inspection } from '../formats/types.ts'
import { type OpenPlace, OpenStores } from '../storage/transfer/place.ts'
import { findObject } from '../storage/transfer/source.ts'
import { interrupted, print, printFacts, printJson } from './run.ts'
import { printTable } from './table.ts'

/** `headrace inspect` */
export function inspectCommand(): Command {
  return new Command('inspect')
    .description('what a file of records is, told by its content: format, records, shapes, types, where each lies')
    .argument('<url>', 'URL or path')
    .option('--json', 'print one JSON document')
    .addHelpText('after', '\nExample:\n  headrace inspect data/train/img_000_of_168.npz')
    .action(async (url: string, { json }: { json?: boolean }) => {
      const stores = new OpenStores()
      try {
        const place = await stores.at(url)
        const hint = 'headrace ls lists a folder, headrace cache info tells of an image cache'
        const { info } = await findObject(place, interrupted, hint)
        const source = await openObjectSource(place.store, info.key, place.name(info.key))
        const found = await inspect(source, (suffix) => openBeside(place, info.key + suffix))
        if (json === true) printJson({ url: source.name, bytes: source.size, ...found })
        else printInspection(source, found)
      } finally {
        await stores.close()
      }
    })
}

async function openBeside(place: OpenPlace, key: string): Promise<ByteSource | undefined> {
  try {
    return await openObjectSource(place.store, key, place.name(key))
  } catch (error) {
    if (error instanceof HeadraceError && error.code === 'E_NOT_FOUND') return undefined
    throw error
  }
}

const shapeText = (shape: readonly number[]) => shape.join(' x ')

function printInspection(
  source: ByteSource,
  { format, codec, records, shape, dtype, parts, partCount }: Inspection,
): void {
  printFacts([
    ['file', source.name],
    ['size', formatBytes(source.size)],
    ['format', format],
    ...(codec === undefined ? [] : [['codec', codec] as const]),
    ...(records === undefined ? [] : [['records', records.toLocaleString('en-US')] as const]),
    ...(shape === undefined ? [] : [['record', `${shapeText(shape)} ${dtype ?? ''}`.trim()] as const]),
  ])
  if (parts.length === 0) return
  print()
  printTable(['part', 'type', 'shape', 'offset', 'bytes', 'codec'], parts.map(rowOf))
  if (partCount > parts.length) print(`and ${(partCount - parts.length).toLocaleString('en-US')} more`)
}

function rowOf({ name, type, shape, offset, storedBytes, codec }: InspectedPart): readonly string[] {
  return [
    name,
    type,
    shape === undefined ? '' : shapeText(shape),
    offset === undefined ? '-' : offset.toLocaleString('en-US'),
    storedBytes === undefined ? '-' : storedBytes.toLocaleString('en-US'),
    codec ?? '',
  ]
}
