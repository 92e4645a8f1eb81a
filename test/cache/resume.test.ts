import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { open, readdir, readFile, rm, stat, truncate, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it } from 'vitest'
import type { Schema } from '../../src/datasets/types.ts'
import { type BuildOptions, buildImageCache, openImageCache } from '../../src/vision/cache/index.ts'
import { awkward, contentsOf, exists, ListedSamples, manyPictures } from './sources.ts'
import { temporaryFolders } from './temporary.ts'

const temporary = temporaryFolders()
const loader = fileURLToPath(new URL('typescript-loader.mjs', import.meta.url))
const script = fileURLToPath(new URL('build-child.ts', import.meta.url))

const children: ChildProcess[] = []
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
})

/** A build in a process of its own, from the moment on at which it starts to build. */
async function startBuild(source: string, destination: string): Promise<ChildProcess> {
  const child = spawn(process.execPath, ['--import', loader, script, source, destination], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  children.push(child)
  if (child.stdout) await once(child.stdout, 'data')
  return child
}

/** Samples of 116 kB each, so that 37 of them make a flush (4 MiB). */
const SCHEMA: Schema = {
  image: { kind: 'image' },
  noise: { kind: 'bytes' },
  name: { kind: 'string' },
  n: { kind: 'number', dtype: 'int64' },
}
function manySamples(count: number): ListedSamples {
  const image = new Uint8Array(awkward('gray.jpg'))
  const samples = Array.from({ length: count }, (_, i) => ({
    image,
    noise: new Uint8Array(100_000).fill(i),
    name: `sample ${i}`,
    n: BigInt(i),
  }))
  return new ListedSamples(SCHEMA, samples)
}

/** Builds until `images` samples are stored, then stops as Ctrl-C would. */
async function interrupt(
  source: ListedSamples,
  destination: string,
  images: number,
  options: BuildOptions = {},
): Promise<void> {
  const stop = new AbortController()
  const read = source.read.bind(source)
  source.read = (id) => {
    if (id >= images) stop.abort(new Error('stopped by hand'))
    return read(id)
  }
  await expect(buildImageCache(source, destination, { ...options, signal: stop.signal })).rejects.toMatchObject({
    code: 'E_CANCELLED',
  })
  source.read = read
}

describe('a build that is killed', () => {
  it('at any moment, eight times, leaves nothing at the destination and ends as if nothing had happened', {
    timeout: 120_000,
  }, async () => {
    const folder = await temporary()
    const source = join(folder, 'photos')
    const destination = join(folder, 'photos.cache')
    await manyPictures(source, 1500, 15)
    const began = performance.now()
    await buildImageCache(source, join(folder, 'whole'))
    const duration = performance.now() - began
    const whole = await contentsOf(join(folder, 'whole'))

    let seed = 12345
    for (let kill = 0; kill < 8 && !(await exists(destination)); kill++) {
      const child = await startBuild(source, destination)
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0
      await new Promise((resolve) => setTimeout(resolve, (duration * (seed / 2 ** 32)) / 2))
      child.kill('SIGKILL')
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
      // whole or not there: nothing in between
      if (await exists(destination)) expect(await contentsOf(destination)).toEqual(whole)
      else await expect(openImageCache(destination)).rejects.toMatchObject({ code: 'E_NOT_FOUND' })
    }
    if (!(await exists(destination))) await buildImageCache(source, destination)
    expect(await contentsOf(destination)).toEqual(whole)
    expect((await readdir(folder)).filter((name) => name.endsWith('.building') && name.includes('whole'))).toEqual([])
  })

  it('refuses nobody the lock afterwards, but is not disturbed by another while it lives', async () => {
    const folder = await temporary()
    const source = join(folder, 'photos')
    await manyPictures(source, 500, 3)
    const child = await startBuild(source, join(folder, 'cache'))
    await expect(buildImageCache(source, join(folder, 'cache'))).rejects.toMatchObject({
      code: 'E_STATE',
      message: expect.stringMatching(new RegExp(`is being built already by process ${child.pid} on `)),
    })
    child.kill('SIGKILL')
    await once(child, 'exit')
    expect((await buildImageCache(source, join(folder, 'cache'))).images).toBe(500)
  })
})

describe('a build that is stopped', () => {
  it('goes on where it was, reads nothing twice, and gives the same files', async () => {
    const folder = await temporary()
    const path = join(folder, 'cache')
    await buildImageCache(manySamples(200), join(folder, 'whole'))
    await interrupt(manySamples(200), path, 130)
    expect(await readdir(folder)).toEqual(['.cache.building', 'whole'])
    const again = manySamples(200)
    const { images, resumedAt, startedOver } = await buildImageCache(again, path)
    expect(startedOver).toBe(false)
    expect(images).toBe(200)
    expect(resumedAt).toBeGreaterThan(50)
    expect(again.reads).toEqual(Array.from({ length: 200 - resumedAt }, (_, i) => resumedAt + i))
    expect(await contentsOf(path)).toEqual(await contentsOf(join(folder, 'whole')))
    expect((await readdir(folder)).sort()).toEqual(['cache', 'whole'])
  })

  it('starts afresh with other options, another source, or after its files were damaged', async () => {
    const folder = await temporary()
    const path = join(folder, 'cache')
    await interrupt(manySamples(200), path, 130)
    expect(await buildImageCache(manySamples(200), path, { quality: 90 })).toMatchObject({
      resumedAt: 0,
      startedOver: true,
    })
    await rm(path, { recursive: true })
    await interrupt(manySamples(200), path, 130)
    const other = new ListedSamples(SCHEMA, [await manySamples(1).read(0)], 'another fingerprint')
    expect(await buildImageCache(other, path)).toMatchObject({ resumedAt: 0, images: 1 })
  })

  it('goes back to what is sound if its files are not as the journal says', async () => {
    const folder = await temporary()
    const path = join(folder, 'cache')
    const building = join(folder, '.cache.building/cache')
    await buildImageCache(manySamples(200), join(folder, 'whole'))
    const whole = await contentsOf(join(folder, 'whole'))

    const damages: Record<string, () => Promise<void>> = {
      'a flipped bit': async () => {
        const file = await open(join(building, 'noise.bin'), 'r+')
        await file.write(Uint8Array.of(99), 0, 1, 5_000_000)
        await file.close()
      },
      'a file cut short': () => truncate(join(building, 'noise.meta.npy'), 192 + 24 * 60),
      'a file gone': () => rm(join(building, 'n.npy')),
      'a torn journal': async () => {
        const journal = join(folder, '.cache.building/journal')
        await truncate(journal, (await stat(journal)).size - 7)
      },
      'a longer file': async () => {
        const file = await open(join(building, 'name.bin'), 'a')
        await file.write('left over from a write that the journal does not know')
        await file.close()
      },
    }
    const resumed: Record<string, number> = {}
    for (const [name, damage] of Object.entries(damages)) {
      await interrupt(manySamples(200), path, 190)
      await damage()
      resumed[name] = (await buildImageCache(manySamples(200), path)).resumedAt
      expect(await contentsOf(path)).toEqual(whole)
      await rm(path, { recursive: true })
    }
    // a flush is 4 MiB of samples of 116 kB: 37 of them
    expect(resumed).toEqual({
      'a flipped bit': 37,
      'a file cut short': 37,
      'a file gone': 0,
      'a torn journal': 111,
      'a longer file': expect.any(Number),
    })
    expect(resumed['a longer file']).toBeGreaterThanOrEqual(111)
  })

  it('by a bad sample goes on behind it once it may be left out, and reports what was left out before', async () => {
    const folder = await temporary()
    const path = join(folder, 'cache')
    const samples = await Promise.all(Array.from({ length: 120 }, (_, id) => manySamples(120).read(id)))
    samples[3] = { ...samples[3], image: awkward('text.jpg') }
    samples[90] = { ...samples[90], image: awkward('truncated_60.jpg') }
    const source = (): ListedSamples => new ListedSamples(SCHEMA, samples)
    await interrupt(source(), path, 80, { onError: 'skip' })
    await expect(buildImageCache(source(), path)).rejects.toMatchObject({
      code: 'E_CORRUPT',
      message: 'listed/90: the JPEG is cut short: it has no end marker',
      details: { sample: 90, key: 'listed/90', hint: expect.stringContaining('skip') },
    })
    expect(await exists(path)).toBe(false)
    const report = await buildImageCache(source(), path, { onError: 'skip' })
    expect(report).toMatchObject({ images: 118, resumedAt: 89 })
    expect(report.skipped).toEqual([
      { key: 'listed/3', code: 'E_UNSUPPORTED', reason: 'not a picture of a known type' },
      { key: 'listed/90', code: 'E_CORRUPT', reason: 'the JPEG is cut short: it has no end marker' },
    ])
    expect(JSON.parse(await readFile(join(path, 'manifest.json'), 'utf8'))).toMatchObject({ headrace: { skipped: 2 } })
  })

  it('leaves nothing at all where its samples cannot be asked for again', async () => {
    const folder = await temporary()
    const stop = new AbortController()
    async function* source() {
      const listed = manySamples(200)
      for (let id = 0; id < 200; id++) {
        if (id === 150) stop.abort()
        yield listed.read(id)
      }
    }
    await expect(buildImageCache(source(), join(folder, 'cache'), { signal: stop.signal })).rejects.toMatchObject({
      code: 'E_CANCELLED',
    })
    expect(await readdir(folder)).toEqual([])
  })

  it('is not resumed from a folder in which a file has changed since', async () => {
    const folder = await temporary()
    const source = join(folder, 'photos')
    await manyPictures(source, 400, 1000)
    const stop = new AbortController()
    await expect(
      buildImageCache(source, join(folder, 'cache'), {
        signal: stop.signal,
        onProgress: ({ images }) => images > 0 && stop.abort(),
      }),
    ).rejects.toMatchObject({ code: 'E_CANCELLED' })
    await utimes(join(source, 'b/00001.jpg'), 5, 5)
    expect((await buildImageCache(source, join(folder, 'cache'))).resumedAt).toBe(0)
  })
})
