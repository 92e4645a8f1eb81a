import type { ByteSink, RecordFormat } from '../formats/types.ts'
import type { ObjectWriter, Store } from '../storage/types.ts'
import { contentOf } from './content.ts'
import type { DataSet } from './data-set.ts'

export interface WriteFileOptions {
  readonly signal?: AbortSignal
  /** Bytes that went to the store since the last call. */
  readonly onBytes?: (bytes: number) => void
}

/**
 * Writes a file of the set and what goes with it. The file appears last: where it is, all is there. Nothing appears if
 * anything fails.
 */
export async function writeFile(
  set: DataSet,
  format: RecordFormat,
  store: Store,
  index: number,
  { signal, onBytes }: WriteFileOptions = {},
): Promise<void> {
  const { key, layout } = set.file(index)
  const call = signal === undefined ? {} : { signal }
  const size = format.fileBytes(layout)
  const main = store.writer(key, size === undefined ? call : { ...call, size })
  const besides = set.sidecarKeys(index, format).map((sidecar) => store.writer(sidecar, call))
  try {
    const sinkOf = (writer: ObjectWriter, name: string): ByteSink => ({
      name,
      write: async (chunk) => {
        const { length } = chunk
        await writer.write(chunk)
        onBytes?.(length)
      },
    })
    const name = key.slice(key.lastIndexOf('/') + 1)
    await format.write(
      sinkOf(main, name),
      layout,
      contentOf(set, index),
      besides.map((writer, i) => sinkOf(writer, `${name}${format.sidecars[i]?.suffix ?? ''}`)),
    )
    for (const writer of besides) await writer.close()
    await main.close()
  } catch (error) {
    await Promise.all([main, ...besides].map((writer) => writer.abort().catch(() => {})))
    throw error
  }
}
