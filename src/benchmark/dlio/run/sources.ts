import { HeadraceError } from '../../../errors.ts'
import { memorySource, type OpenSource, openFileSource, openObjectSource } from '../../../formats/byte-source.ts'
import { native } from '../../../native.ts'
import type { Store } from '../../../storage/types.ts'

/** What reading costs: ms spent waiting for bytes, those of reads under way at once together, and the bytes that came. */
export interface Meter {
  storage: number
  bytes: number
}

/** Where readers get the bytes of files from. */
export interface Sources {
  /** Whether several reads under way at once are faster than one after the other. */
  readonly parallel: boolean
  /**
   * `whole`: all of it will be read and it is small, so that one request is best. `file`: its number in the set; absent
   * for what goes with a file. E_NOT_FOUND where there is none.
   */
  open(key: string, whole: boolean, file?: number): Promise<OpenSource>
}

/** Counts what a source costs, and reads at most `transferSize` bytes at once. */
function metered(source: OpenSource, transferSize: number, meter: Meter): OpenSource {
  const read = async (offset: number, length: number, into?: Uint8Array) => {
    const start = native.monotonic()
    try {
      if (length <= transferSize) return await source.read(offset, length, into)
      const target = into ?? Buffer.allocUnsafe(length)
      for (let done = 0; done < length; done += transferSize) {
        const piece = Math.min(transferSize, length - done)
        await source.read(offset + done, piece, target.subarray(done, done + piece))
      }
      return target.length === length ? target : target.subarray(0, length)
    } finally {
      meter.storage += native.monotonic() - start
      meter.bytes += length
    }
  }
  const { readParts } = source
  return {
    name: source.name,
    size: source.size,
    read,
    // Where one call is not to move more than so many bytes, parts come one after the other.
    ...(readParts !== undefined &&
      transferSize === Number.POSITIVE_INFINITY && {
        readParts: async (offset: number, parts: readonly Uint8Array[]) => {
          const start = native.monotonic()
          await readParts.call(source, offset, parts)
          meter.storage += native.monotonic() - start
          for (const part of parts) meter.bytes += part.length
        },
      }),
    close: () => source.close(),
  }
}

/** Adds what opening a file costs. */
async function timed<T>(meter: Meter, open: Promise<T>): Promise<T> {
  const start = native.monotonic()
  try {
    return await open
  } finally {
    meter.storage += native.monotonic() - start
  }
}

/** The files of a store that lie on this machine, read by calls that block the thread: no other way costs less. */
function localSources(pathOf: (key: string) => string, transferSize: number, meter: Meter): Sources {
  return {
    parallel: false,
    open: async (key) =>
      metered(await timed(meter, openFileSource(pathOf(key), { blocking: true })), transferSize, meter),
  }
}

function objectSources(store: Store, transferSize: number, meter: Meter): Sources {
  return {
    parallel: true,
    async open(key, whole) {
      if (!whole) return metered(await timed(meter, openObjectSource(store, key)), transferSize, meter)
      const body = await timed(meter, store.get(key))
      if (body === undefined)
        throw new HeadraceError('E_NOT_FOUND', `${store.url}/${key} is not there`, { url: store.url, key })
      meter.bytes += body.data.length
      return heldSource(key, body.data)
    },
  }
}

/** `transferSize`: most bytes of one read or request. */
export function storeSources(store: Store, transferSize: number, meter: Meter): Sources {
  const { localPath } = store
  return localPath !== undefined && store.url.startsWith('file:')
    ? localSources(localPath.bind(store), transferSize, meter)
    : objectSources(store, transferSize, meter)
}

/** Bytes in memory as a file. */
export function heldSource(name: string, bytes: Uint8Array): OpenSource {
  return { ...memorySource(name, bytes), close: () => {} }
}
