import { Command } from 'commander'
import { HeadraceError } from '../errors.ts'
import { OpenStores } from '../storage/transfer/place.ts'
import type { PresignOptions } from '../storage/types.ts'
import { flag } from './flags.ts'
import { print, printJson } from './run.ts'
import { given, timeSpan } from './values.ts'

type Flags = PresignOptions & { json?: boolean }

/** `headrace presign` */
export function presignCommand(): Command {
  return new Command('presign')
    .description('make a URL by which anybody can read or write an object until it expires')
    .argument('<url>', 'of the object')
    .addOption(flag('--expires <time>', 'seconds, or a time such as 15m, 12h, 7d', { parse: timeSpan, shown: '1h' }))
    .addOption(flag('--method <name>', 'what it is good for', { choices: ['GET', 'PUT'], shown: 'GET' }))
    .option('--json', 'print one JSON document')
    .addHelpText('after', '\nExample:\n  headrace presign s3://demo/photos/a.jpg --expires 12h')
    .action(async (url: string, { json, expires, method }: Flags) => {
      const stores = new OpenStores()
      try {
        const { store, key, name } = await stores.at(url)
        if (store.presign === undefined)
          throw new HeadraceError('E_UNSUPPORTED', `there are no presigned URLs of ${name(key)}`, { url })
        if (key === '') throw new HeadraceError('E_USAGE', `${url} is a bucket, not an object`, { url })
        const signed = await store.presign(key, given({ expires, method }))
        if (json === true) printJson({ url: name(key), method: method ?? 'GET', presigned: signed })
        else print(signed)
      } finally {
        await stores.close()
      }
    })
}
