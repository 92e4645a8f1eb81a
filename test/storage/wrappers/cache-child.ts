import { FileStore } from '../../../src/storage/file/file.ts'
import { cached } from '../../../src/storage/wrappers/cached.ts'

/** Reads objects through a cache for ever, checking each: `node cache-child.ts STORE CACHE BYTES COUNT SEED`. */
const [root = '', dir = '', bytes = '', count = '', seed = ''] = process.argv.slice(2)
const store = cached(new FileStore(root), { dir, bytes: Number(bytes), blockSize: 4096 })
let state = Number(seed)
for (let reads = 0; ; reads++) {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0
  const number = (state >>> 8) % Number(count)
  const body = await store.get(`k${number}`)
  if (body === undefined || !body.data.every((byte, i) => byte === ((number * 7 + i) & 0xff)))
    throw new Error(`k${number} came wrong`)
  if (reads % 20 === 0) process.stdout.write('.')
}
