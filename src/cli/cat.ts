import { Command } from 'commander'
import { HeadraceError, isHeadraceError } from '../errors.ts'
import { type ReadOptions, readObject } from '../storage/transfer/object-read.ts'
import { type OpenPlace, OpenStores } from '../storage/transfer/place.ts'
import { findObject } from '../storage/transfer/source.ts'
import type { ByteRange } from '../storage/types.ts'
import { flag } from './flags.ts'
import { writeOut } from './lines.ts'
import { interrupted } from './run.ts'
import { byteRange, given, type RangeFlag, size } from './values.ts'

interface Flags {
  range?: RangeFlag
  partSize?: number
}

/** `headrace cat` */
export function catCommand(): Command {
  return new Command('cat')
    .description('write objects to standard output, one after the other')
    .argument('<url...>', 'URLs or paths')
    .addOption(flag('--range <a-b>', 'bytes a to b, both included; a- to the end, -n the last n', { parse: byteRange }))
    .addOption(flag('--part-size <bytes>', 'of parts that are read side by side', { parse: size, shown: '8MiB' }))
    .addHelpText('after', '\nExample:\n  headrace cat s3://demo/photos/a.jpg --range 0-3 | xxd')
    .action(async (urls: string[], { range, partSize }: Flags) => {
      const stores = new OpenStores(given({ partSize }))
      try {
        for (const url of urls) {
          const place = await stores.at(url)
          await write(place, { ...(await rangeOf(place, range)), ...given({ partSize }), signal: interrupted })
        }
      } finally {
        await stores.close()
      }
    })
}

async function write(place: OpenPlace, options: ReadOptions): Promise<void> {
  try {
    for await (const bytes of readObject(place, place.key, options)) await writeOut(bytes)
  } catch (error) {
    // A folder is not there as an object: the lookup says so.
    if (isHeadraceError(error, 'E_NOT_FOUND')) await findObject(place, interrupted)
    // The library names its option, and the key.
    if (isHeadraceError(error, 'E_USAGE') && error.details.offset !== undefined)
      throw new HeadraceError(
        'E_USAGE',
        `the range begins at byte ${error.details.offset}, past the end of ${place.name(place.key)}`,
        error.details,
      )
    throw error
  }
}

/** Looks the object up where only it tells: whether it is a folder, and where its last bytes are. */
async function rangeOf(place: OpenPlace, range: RangeFlag | undefined): Promise<{ range?: ByteRange }> {
  if (place.isFolder) await findObject(place, interrupted)
  const { offset, length } = range ?? {}
  if (offset !== undefined) return { range: { offset, ...given({ length }) } }
  if (length === undefined) return {}
  const { info } = await findObject(place, interrupted)
  return { range: { offset: Math.max(0, info.size - length), length } }
}
