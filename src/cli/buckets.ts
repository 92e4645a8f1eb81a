import { Command } from 'commander'
import { HeadraceError, isHeadraceError } from '../errors.ts'
import { locate, openStore } from '../storage/open.ts'
import { removeObjects } from '../storage/transfer/index.ts'
import type { Store } from '../storage/types.ts'
import { interrupted, print } from './run.ts'

/** `headrace mb` */
export function mbCommand(): Command {
  return new Command('mb')
    .description('make buckets, or local folders')
    .argument('<url...>', 'such as s3://bucket')
    .addHelpText('after', '\nExample:\n  headrace mb s3://demo')
    .action(async (urls: string[]) => {
      for (const url of urls) {
        await withContainer(url, async (store) => {
          if (store.createContainer === undefined) throw unsupported(url, 'made')
          await store.createContainer({ signal: interrupted })
        })
        print(`made ${url}`)
      }
    })
}

/** `headrace rb` */
export function rbCommand(): Command {
  return new Command('rb')
    .description('remove buckets, or local folders, that are empty')
    .argument('<url...>', 'such as s3://bucket')
    .option('--force', 'delete what is in them first')
    .addHelpText('after', '\nExample:\n  headrace rb s3://demo --force')
    .action(async (urls: string[], { force }: { force?: boolean }) => {
      for (const url of urls) {
        await withContainer(url, async (store) => {
          if (store.deleteContainer === undefined) throw unsupported(url, 'removed')
          if (force === true)
            await removeObjects({ store, key: '' }, { recursive: true, force, onError: 'throw', signal: interrupted })
          // Of a local folder nothing is left then.
          if (force !== true || store.localPath === undefined) await remove(store)
        })
        print(`removed ${url}`)
      }
    })
}

/** What it says of a container that is not empty is joined by what the user can do. */
async function remove(store: Store): Promise<void> {
  try {
    await store.deleteContainer?.({ signal: interrupted })
  } catch (error) {
    if (!isHeadraceError(error, 'E_STATE')) throw error
    const hint = '--force deletes what is in it first'
    throw new HeadraceError('E_STATE', error.message, { hint, ...error.details })
  }
}

function unsupported(url: string, done: string): HeadraceError {
  return new HeadraceError('E_UNSUPPORTED', `${url} cannot be ${done}`, { url })
}

/** Of a local store its directory is what a bucket is elsewhere. */
async function withContainer(url: string, run: (store: Store) => Promise<void>): Promise<void> {
  const { root, key } = locate(url)
  const isLocal = /^[a-z]+:\/\/\/$/.test(root)
  if (!isLocal && key !== '')
    throw new HeadraceError('E_USAGE', `${url} is a folder in a bucket, not a bucket`, { url, hint: `write ${root}` })
  const store = await openStore(url)
  try {
    await run(store)
  } finally {
    await store.close()
  }
}
