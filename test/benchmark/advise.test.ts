import { once } from 'node:events'
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { buildOptionsOf, CANDIDATES, nameOf } from '../../src/benchmark/vision/candidates.ts'
import {
  type AdviseOptions,
  type AdviseProgress,
  type AdviseReport,
  adviseEncoding,
} from '../../src/benchmark/vision/index.ts'
import { buildImageCache, openImageCache } from '../../src/vision/index.ts'
import { built, child, DIST, headrace, spawnHeadrace } from '../cli/built.ts'
import { type PhotoCache, photoCache } from '../loader/photo-cache.ts'
import { awkwardFolder } from '../vision/awkward-set.ts'

let photos: PhotoCache
let source: string
let scratch: string
beforeAll(async () => {
  photos = await photoCache(40, 64)
  source = join(photos.folder, 'photos')
  scratch = await mkdtemp(join(tmpdir(), 'headrace-advise-test-'))
  await built()
})
beforeEach(() => vi.stubEnv('HEADRACE_SCRATCH', scratch))
afterEach(async () => {
  vi.unstubAllEnvs()
  expect(await readdir(scratch)).toEqual([])
})
afterAll(async () => {
  await photos.remove()
  await rm(scratch, { recursive: true, force: true })
})

const SMALL: AdviseOptions = { size: 32 }

/** Stored bytes of samples of a cache. */
async function sizesOf(path: string, ids?: readonly number[]): Promise<number[]> {
  const cache = await openImageCache(path)
  const samples = ids ?? Array.from({ length: cache.length }, (_, id) => id)
  const sizes = await Promise.all(samples.map(async (id) => ((await cache.read(id)).image as Uint8Array).length))
  await cache.close()
  return sizes
}
/** What keeps the pixels of every picture. */
const packedOnes = ({ encodings }: AdviseReport) => encodings.filter(({ encoding }) => encoding !== 'yuv420')
const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0)

describe('advice on a folder', () => {
  it('has bytes, rates and pixels of every encoding, and one of them is recommended', async () => {
    const report = await adviseEncoding(source, { ...SMALL, threads: 2 })
    expect(report).toMatchObject({
      source,
      images: 40,
      sampled: 40,
      skipped: [],
      reencoded: {},
      size: 32,
      threads: 2,
      simd: photos.cache.info.simd,
    })
    expect(report.memoryBytes).toBeGreaterThan(2 ** 27)
    expect(report.encodings.map(nameOf)).toEqual(CANDIDATES.map(nameOf))
    expect(report.encodings.slice(0, 3).map(nameOf)).toEqual(['jpeg', 'dct', 'dct (compact)'])
    for (const { fidelity } of packedOnes(report))
      expect(fidelity).toEqual({ exact: true, maxDifference: 0, padded: 0 })
    for (const measured of report.encodings) {
      expect(measured.unpacked).toEqual({})
      expect(measured.imagesPerSecond).toBeGreaterThan(10)
      expect(measured.cpuSecondsPerImage).toBeGreaterThan(0)
      expect(measured.cpuSecondsPerImage).toBeLessThan(0.1)
    }
    const { encoding, reason, unless } = report.recommendation
    expect(CANDIDATES.map((candidate) => candidate.encoding)).toContain(encoding)
    expect(reason).toMatch(/\d/)
    expect(unless.length).toBeGreaterThan(0)

    // the bytes are those of caches of the whole folder
    const jpeg = sum(await sizesOf(photos.path))
    for (const [k, candidate] of CANDIDATES.entries()) {
      const path = join(photos.folder, `whole-${k}.cache`)
      await buildImageCache(source, path, buildOptionsOf(candidate))
      const bytes = sum(await sizesOf(path))
      const expected = { bytesPerImage: bytes / 40, expectedBytes: bytes, relativeBytes: bytes / jpeg }
      expect(report.encodings[k]).toMatchObject(expected)
    }
  })

  it('from fewer samples scales their bytes to the whole', async () => {
    const report = await adviseEncoding(source, { ...SMALL, samples: 4 })
    expect(report).toMatchObject({ images: 40, sampled: 4 })
    const bytes = sum(await sizesOf(photos.path, [5, 15, 25, 35]))
    expect(report.encodings[0]).toMatchObject({ bytesPerImage: bytes / 4, expectedBytes: bytes * 10, relativeBytes: 1 })
  })
})

describe('advice on a cache', () => {
  it.each(['jpeg', 'compact'])('of %s is that on its pictures', async (form) => {
    const path = join(photos.folder, `source-${form}.cache`)
    const options = form === 'jpeg' ? {} : ({ encoding: 'dct', compact: true } as const)
    await buildImageCache(source, path, options)
    const report = await adviseEncoding(path, { ...SMALL, samples: 10 })
    expect(report).toMatchObject({ source: path, images: 40, sampled: 10 })
    const ids = Array.from({ length: 10 }, (_, i) => 4 * i + 2)
    await buildImageCache(source, `${path}.dct`, { encoding: 'dct' })
    expect(report.encodings[1]?.bytesPerImage).toBe(sum(await sizesOf(`${path}.dct`, ids)) / 10)
    for (const { fidelity } of packedOnes(report)) expect(fidelity.exact).toBe(true)
  })
})

describe('bad and odd pictures', () => {
  it('are left out and named; those that are no JPEG, and those that stay JPEG, are counted', async () => {
    const set = await awkwardFolder()
    const whole = await buildImageCache(set.root, set.place('cache'), { onError: 'skip', validate: 'decode' })
    const packed = await buildImageCache(set.place('cache'), set.place('packed'), { encoding: 'dct' })
    const report = await adviseEncoding(set.root, SMALL)
    expect(whole.skipped.length).toBeGreaterThan(0)
    expect(Object.keys(packed.unpacked).length).toBeGreaterThan(0)
    expect(report).toMatchObject({
      images: set.files.length,
      sampled: whole.images,
      skipped: whole.skipped,
      reencoded: whole.reencoded,
    })
    const [jpeg, plain, compact] = report.encodings
    expect(jpeg?.unpacked).toEqual({})
    expect(plain?.unpacked).toEqual(packed.unpacked)
    expect(compact?.unpacked).toEqual(packed.unpacked)
    for (const { fidelity } of packedOnes(report)) expect(fidelity.exact).toBe(true)
    // what is bad has no part in the bytes of the whole
    expect(jpeg?.expectedBytes).toBe(sum(await sizesOf(set.place('cache'))))
    await set.remove()
  })

  it('alone are an error that names the first', async () => {
    const root = join(photos.folder, 'bad')
    await mkdir(join(root, 'set'), { recursive: true })
    for (const name of ['a.jpg', 'b.jpg']) await writeFile(join(root, 'set', name), 'no picture')
    await expect(adviseEncoding(root, SMALL)).rejects.toMatchObject({
      code: 'E_UNSUPPORTED',
      message: expect.stringContaining('set/a.jpg'),
    })
  })
})

describe('the scratch folder', () => {
  it('holds small caches meanwhile', async () => {
    const seen = new Set<string>()
    const names: Promise<void>[] = []
    const onProgress = ({ doing }: AdviseProgress) => {
      if (doing === 'building' || seen.has(doing)) return
      seen.add(doing)
      names.push(
        readdir(scratch).then(async ([folder = '', ...others]) => {
          expect(others).toEqual([])
          expect((await readdir(join(scratch, folder))).sort()).toEqual(CANDIDATES.map(nameOf).sort())
        }),
      )
    }
    await adviseEncoding(source, { ...SMALL, onProgress })
    await Promise.all(names)
    expect([...seen]).toEqual(['comparing', 'timing'])
  })

  it.each(['building', 'comparing', 'timing'] as const)('is empty after an abort while %s', async (when) => {
    const controller = new AbortController()
    const onProgress = ({ doing }: AdviseProgress) => {
      if (doing === when) controller.abort()
    }
    await expect(adviseEncoding(source, { ...SMALL, signal: controller.signal, onProgress })).rejects.toMatchObject({
      code: 'E_CANCELLED',
    })
  })

  it('is empty after the process ended in between', async () => {
    const text = `
      import { adviseEncoding } from '${DIST}'
      await adviseEncoding(${JSON.stringify(source)}, { onProgress: ({ doing }) => doing === 'timing' && process.exit(7) })`
    expect(await child(text)).toMatchObject({ code: 7, stderr: '' })
  })

  it('is empty after Ctrl-C, which ends with 130', async () => {
    const run = spawnHeadrace('cache', 'advise', source, '--progress')
    let stderr = ''
    run.stderr.on('data', (data) => {
      stderr += data
      if (stderr.includes('timing') && !run.killed) run.kill('SIGINT')
    })
    const [code] = (await once(run, 'close')) as [number]
    expect(code).toBe(130)
    expect(stderr).toContain('headrace: interrupted\n')
  })
})

describe('adviseEncoding refuses', () => {
  it.each<[unknown, object, string]>([
    [3, {}, 'source must be the path of a folder or a cache, but got 3'],
    ['', {}, 'source must be the path of a folder or a cache, but got ""'],
    ['x', { samples: 0 }, 'samples must be a positive integer, but got 0'],
    ['x', { samples: '256' }, 'samples must be a positive integer, but got "256"'],
    ['x', { size: 65_501 }, 'size must be an integer from 1 to 65500, but got 65501'],
    ['x', { threads: 1.5 }, 'threads must be an integer from 1 to 1024, but got 1.5'],
    ['x', { sample: 3 }, 'adviseEncoding has no option "sample"; it has samples, size, threads, signal, onProgress'],
  ])('%j with %j', async (path, options, message) => {
    await expect(adviseEncoding(path as string, options)).rejects.toMatchObject({ code: 'E_USAGE', message })
  })

  it('a source that is not there, and a signal that has fired', async () => {
    await expect(adviseEncoding(join(photos.folder, 'nowhere'))).rejects.toMatchObject({ code: 'E_NOT_FOUND' })
    const aborted = { signal: AbortSignal.abort() }
    await expect(adviseEncoding(source, aborted)).rejects.toMatchObject({ code: 'E_CANCELLED' })
  })

  it('a cache without pictures', async () => {
    const path = join(photos.folder, 'numbers.cache')
    await cp(photos.path, path, { recursive: true })
    const manifest = JSON.parse(await readFile(join(path, 'manifest.json'), 'utf8'))
    manifest.fields = { label: manifest.fields.label }
    manifest.headrace = undefined
    await writeFile(join(path, 'manifest.json'), JSON.stringify(manifest))
    await expect(adviseEncoding(path)).rejects.toMatchObject({
      code: 'E_USAGE',
      message: `${path} has no image field: its fields are label`,
    })
  })
})

describe('headrace cache advise', () => {
  it('--json prints that report alone on stdout; progress, where it is asked for, goes to stderr', async () => {
    const flags = ['--samples', '10', '--size', '32', '--threads', '2', '--json', '--progress']
    const { code, stdout, stderr } = await headrace('cache', 'advise', source, ...flags)
    expect(code).toBe(0)
    for (const doing of ['building', 'comparing', 'timing']) expect(stderr).toContain(`${doing} `)
    const report = JSON.parse(stdout)
    expect(report).toMatchObject({ source, images: 40, sampled: 10, size: 32, threads: 2, skipped: [] })
    expect(report.encodings).toHaveLength(CANDIDATES.length)
    expect(report.encodings[2]).toEqual({
      encoding: 'dct',
      form: 'compact',
      bytesPerImage: expect.any(Number),
      expectedBytes: expect.any(Number),
      relativeBytes: expect.any(Number),
      imagesPerSecond: expect.any(Number),
      cpuSecondsPerImage: expect.any(Number),
      fidelity: { exact: true, maxDifference: 0, padded: 0 },
      unpacked: {},
    })
    expect(report.recommendation).toMatchObject({ reason: expect.any(String), unless: expect.any(Array) })
  })

  it('prints a table, what was tried, and the choice with its command', async () => {
    const { code, stdout, stderr } = await headrace('cache', 'advise', source, '--size', '32')
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    const lines = stdout.split('\n')
    expect(lines[0]).toMatch(/^encoding +bytes\/image +all of it +of jpeg +images\/s +CPU us\/image +pixels$/)
    expect(lines[1]).toMatch(/^jpeg +[\d.]+ \w+ +[\d.]+ \w+ +1\.00x +[\d,]+ +\d+ +exact$/)
    expect(lines[2]).toMatch(/^dct .* +1\.\d\dx .* exact$/)
    expect(lines[3]).toMatch(/^dct \(compact\) .* exact$/)
    expect(stdout).toMatch(/\ntried +40 of 40 images; random crops to 32 x 32, 1 thread, \w+, [\d.]+ GiB of memory\n/)
    expect(stdout).toMatch(/\ntake +(jpeg|dct|dct \(compact\)|yuv420): .*\d.*\nunless +\S/)
    expect(stdout).toMatch(
      /\nbuild +headrace cache build SOURCE DESTINATION( --encoding (yuv420|dct|dct --compact))?\n$/,
    )
  })

  it('names what was left out and what stays JPEG', async () => {
    const set = await awkwardFolder()
    const { stdout } = await headrace('cache', 'advise', set.root, '--size', '32')
    expect(stdout).toMatch(/\nleft out +\d+ bad: set\/\S+: .* \[E_\w+\], and \d+ more \(--json lists them all\)\n/)
    expect(stdout).toMatch(/\nbecome JPEG +\d+ \(\w+\), /)
    expect(stdout).toMatch(/\nstay JPEG +in dct: \d+ \(/)
    await set.remove()
  })
})
