// A dataset for worker threads: each sample keeps its thread from everything else for `ms`, as a slow decoder does.
import { threadId } from 'node:worker_threads'

const nobody = new Int32Array(new SharedArrayBuffer(4))

export default function slowDecoder({ length, ms = 0, size = 64, fails = [], exits = [], inPlace = true }) {
  const decode = (id) => {
    if (ms > 0) Atomics.wait(nobody, 0, 0, ms)
    if (exits.includes(id)) process.exit(3)
    if (fails.includes(id)) throw Object.assign(new Error(`sample ${id} is broken`), { code: 'ENOENT' })
  }
  const fill = (id, into) => {
    into.fill(id & 0xff)
    new DataView(into.buffer, into.byteOffset).setUint32(0, threadId, true)
  }
  const dataset = {
    length,
    schema: { b: { kind: 'bytes' }, name: { kind: 'string' }, label: { kind: 'number', dtype: 'int64' } },
    fingerprint: `slow ${length} ${size}`,
    describe: (id) => `slow-${id}`,
    async read(id, { fields = [] }) {
      const sample = { name: `name of ${id}`, label: BigInt(id) }
      if (!fields.includes('b')) return sample
      decode(id)
      const b = new Uint8Array(size)
      fill(id, b)
      return { ...sample, b }
    },
    async close() {},
  }
  if (!inPlace) return dataset
  return {
    ...dataset,
    sizes: (ids, _field, out) => void out.fill(size, 0, ids.length),
    async readInto(id, _field, into) {
      decode(id)
      fill(id, into)
    },
  }
}

export const notAFunction = 7
