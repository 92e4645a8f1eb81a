import { Command } from 'commander'
import { formatBytes } from '../bytes.ts'
import { OpenStores } from '../storage/transfer/place.ts'
import { findObject } from '../storage/transfer/source.ts'
import type { ObjectInfo } from '../storage/types.ts'
import { objectDocument } from './ls.ts'
import { interrupted, printFacts, printJson } from './run.ts'

/** `headrace stat` */
export function statCommand(): Command {
  return new Command('stat')
    .description('what is known of an object: size, time, etag, checksum, metadata')
    .argument('<url>', 'URL or path')
    .option('--json', 'print one JSON document')
    .addHelpText('after', '\nExample:\n  headrace stat s3://demo/photos/a.jpg')
    .action(async (url: string, { json }: { json?: boolean }) => {
      const stores = new OpenStores()
      try {
        const place = await stores.at(url)
        const { info } = await findObject(place, interrupted)
        const name = place.name(info.key)
        if (json === true) printJson(objectDocument(info, name))
        else printFacts(facts(info, name))
      } finally {
        await stores.close()
      }
    })
}

function facts(info: ObjectInfo, name: string): readonly (readonly [string, string])[] {
  const { size, modified, etag, checksum, contentType, storageClass, metadata = {} } = info
  return [
    ['url', name],
    ['size', size < 1024 ? formatBytes(size) : `${formatBytes(size)} (${size.toLocaleString('en-US')} bytes)`],
    ['modified', new Date(modified).toISOString()],
    ['etag', etag],
    ...(checksum === undefined ? [] : [['checksum', `${checksum.algorithm} ${checksum.value}`] as const]),
    ...(contentType === undefined ? [] : [['type', contentType] as const]),
    ...(storageClass === undefined ? [] : [['class', storageClass] as const]),
    ...Object.entries(metadata).map(([key, value]) => [`meta ${key}`, value] as const),
  ]
}
