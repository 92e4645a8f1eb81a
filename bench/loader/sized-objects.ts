import { type Dataset, openStore } from 'headrace'

export interface SizedObjects {
  readonly url: string
  readonly store: Readonly<Record<string, unknown>>
  readonly count: number
  /** Bytes of each. */
  readonly size: number
  /** Read to memory of its own first, as datasets are that do not know their sizes. */
  readonly copies: boolean
}

/** Objects of one size, of a server that has any: nothing is listed. Opened by worker threads, too. */
export default async function sizedObjects({
  url,
  store: options,
  count,
  size,
  copies,
}: SizedObjects): Promise<Dataset> {
  const store = await openStore(url, options)
  const dataset: Dataset = {
    length: count,
    schema: { data: { kind: 'bytes' } },
    fingerprint: `${count} of ${size}`,
    describe: (id) => `${id}`,
    async read(id, { signal } = {}) {
      const body = await store.get(`${id}`, signal && { signal })
      return { data: body?.data ?? new Uint8Array() }
    },
    close: () => store.close(),
  }
  if (copies) return dataset
  return {
    ...dataset,
    sizes: (ids, _, out) => void out.fill(size, 0, ids.length),
    async readInto(id, _, into, options) {
      const body = await store.get(`${id}`, { ...options, into })
      if (body?.data.length !== size) throw new Error(`${body?.data.length} bytes came`)
    },
  }
}
