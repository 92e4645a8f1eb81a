import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { built, DIST } from '../cli/built.ts'
import { type PhotoCache, photoCache } from '../loader/photo-cache.ts'

let photos: PhotoCache
beforeAll(async () => {
  await built()
  photos = await photoCache(8, 64)
}, 120_000)
afterAll(() => photos.remove())

/** A fresh process whose threads have stacks of `stack` KiB: the pool of this one is grown already. */
async function run(source: string, stack = 8192): Promise<unknown> {
  const script = `
    import { execFileSync } from 'node:child_process'
    import { readdirSync, readFileSync } from 'node:fs'
    import { load, openImageCache, resizeCenterCrop } from '${DIST}'
    const cache = await openImageCache(${JSON.stringify(photos.path)})
    const threads = () => readdirSync('/proc/self/task').length
    const open = (options) => load(cache, { image: [resizeCenterCrop(32, 32)], rank: 0, worldSize: 1, ...options })
    ${source}`
  const command = `ulimit -s ${stack} && exec "$0" --input-type=module -e "$1"`
  const { stdout } = await promisify(execFile)('/bin/sh', ['-c', command, process.execPath, script])
  return JSON.parse(stdout)
}

describe.runIf(process.platform === 'linux')('the pool', () => {
  it('has no more threads than there is work for, however many may be used', async () => {
    const made = await run(`
      const before = threads()
      for await (const _ of open({ threads: 512, batchSize: 2, prefetch: 1 })) break
      const few = threads() - before
      for await (const _ of open({ threads: 3, batchSize: 8 })) break
      console.log(JSON.stringify({ few, more: threads() - before }))`)
    expect(made).toEqual({ few: expect.any(Number), more: 3 })
    expect((made as { few: number }).few).toBeLessThanOrEqual(3)
  })

  it('of which the system gives no threads works on the one that asks', async () => {
    // Stacks of 4 GiB each, and room for less than one: nothing else of the process wants as much.
    const made = await run(
      `
      for await (const _ of load(cache, { rank: 0, worldSize: 1, fields: ['label'] }));
      const before = threads()
      const size = Number(/^VmSize:\\s+(\\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))[1]) * 1024
      execFileSync('prlimit', ['--pid', String(process.pid), '--as=' + (size + 2 ** 31)])
      const sums = []
      for await (const { image, meta } of open({ threads: 4, batchSize: 4 }))
        sums.push([meta.size, image.data.reduce((sum, value) => sum + value, 0)])
      console.log(JSON.stringify({ sums, made: threads() - before }))`,
      4 * 2 ** 20,
    )
    const expected = await run(`
      const sums = []
      for await (const { image, meta } of open({ threads: 4, batchSize: 4 }))
        sums.push([meta.size, image.data.reduce((sum, value) => sum + value, 0)])
      console.log(JSON.stringify({ sums, made: 0 }))`)
    expect(made).toEqual(expected)
  })
})
