import type { Dataset } from '../../src/datasets/types.ts'
import { HeadraceError } from '../../src/errors.ts'
import type { ObjectInfo, Store } from '../../src/storage/types.ts'

const SCHEMA = { data: { kind: 'bytes' }, key: { kind: 'string' } } as const

/** Bytes that say which object they are of: no two objects have the same. */
export function content(id: number, size: number): Uint8Array {
  const bytes = new Uint8Array(size)
  for (let i = 0; i < size; i++) bytes[i] = (i * 31 + id * 7 + (i >> 8)) & 0xff
  return bytes
}

export const keyOf = (id: number) => `object-${String(id).padStart(5, '0')}`

/** Writes `sizes.length` objects of these sizes. */
export async function putObjects(store: Store, sizes: readonly number[]): Promise<void> {
  for (const [id, size] of sizes.entries()) await store.put(keyOf(id), content(id, size))
}

/** The objects of a store as it is now, read to where they are wanted; each must stay the version that was listed. */
export async function storeObjects(
  store: Store,
  more: Partial<Dataset<typeof SCHEMA>> = {},
): Promise<Dataset<typeof SCHEMA>> {
  const infos: ObjectInfo[] = []
  for await (const entry of store.list('')) if (entry.kind === 'object') infos.push(entry)
  // With a greater `length` they come again and again.
  const info = (id: number) => infos[id % infos.length] as ObjectInfo
  return {
    length: infos.length,
    schema: SCHEMA,
    fingerprint: `objects of ${store.url}`,
    describe: (id) => info(id).key,
    async read(id) {
      return { key: info(id).key }
    },
    sizes: (ids, _, out) => out.set(ids.map((id) => info(id).size)),
    async readInto(id, _, into, options) {
      const { key, etag } = info(id)
      const body = await store.get(key, { ...options, into, ifMatch: etag })
      if (body === undefined) throw new HeadraceError('E_NOT_FOUND', `${key} is no longer there`, { key })
      if (body.data.length !== into.length)
        throw new HeadraceError('E_CORRUPT', `${key} has ${body.data.length} bytes now`, { key })
    },
    async close() {},
    ...more,
  }
}
