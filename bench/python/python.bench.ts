import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { cpus, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { load, openImageCache, openStore, randomHorizontalFlip, randomResizedCrop } from 'headrace'
import { type Figure, record } from '../figures.ts'
import { ObjectServer } from '../storage/object-server.ts'
import { FULL } from '../vision/extent.ts'
import { cli, root } from '../vision/places.ts'
import { imageSet } from '../vision/sets.ts'

/**
 * What PyTorch gets: CPU and memory an object takes from an S3 server (versitygw) into a tensor, ours, s3dlio's and
 * s3torchconnector's by turns, and images a second of a cache, beside the same loop in TypeScript and DataLoader over
 * ImageFolder. $HEADRACE_PEERS/venv has torch, torchvision, s3dlio and s3torchconnector. Prints one JSON document; a whole
 * run writes bench/results/python.json and the README's table too. `--quick` for a look.
 */

const quick = process.argv.includes('--quick')
const TURNS = quick ? 1 : 3
const peers = process.env.HEADRACE_PEERS ?? '/opt/peers'
const python = join(peers, 'venv', 'bin', 'python')
const scripts = join(root, 'bench', 'python')

const three = (value: number) => Number(value.toPrecision(3))
const say = (line: string) => process.stderr.write(`${line}\n`)

interface Way {
  readonly library: 'headrace' | 's3dlio' | 's3torchconnector'
  readonly kind: string
  readonly workers: number
}

const WAYS: readonly Way[] = [
  { library: 'headrace', kind: 'batches', workers: 0 },
  { library: 'headrace', kind: 'iterable', workers: 0 },
  { library: 'headrace', kind: 'iterable', workers: 2 },
  { library: 'headrace', kind: 'map', workers: 0 },
  { library: 's3dlio', kind: 'items', workers: 0 },
  { library: 's3dlio', kind: 'iterable', workers: 0 },
  { library: 's3dlio', kind: 'map', workers: 0 },
  { library: 's3torchconnector', kind: 'iterable', workers: 0 },
  { library: 's3torchconnector', kind: 'iterable', workers: 2 },
  { library: 's3torchconnector', kind: 'map', workers: 0 },
]

const SIZES = [
  { bytes: 4096, count: quick ? 200 : 4000 },
  { bytes: 131_072, count: quick ? 200 : 2000 },
  { bytes: 1_048_576, count: quick ? 50 : 400 },
] as const

async function measured<T>(args: readonly string[], env: NodeJS.ProcessEnv): Promise<T | string> {
  const child = spawn(python, args, {
    env: { ...process.env, PYTHONPATH: join(root, 'python'), RUST_LOG: 'off', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let out = ''
  let complaint = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint = (complaint + text).slice(-2000)
  })
  const timer = setTimeout(() => child.kill('SIGKILL'), 240_000)
  await once(child, 'close')
  clearTimeout(timer)
  if (child.exitCode === 0) return JSON.parse(out.trim().split('\n').at(-1) ?? '') as T
  return complaint.trim().split('\n').at(-1) ?? `it ended with ${child.exitCode ?? child.signalCode}`
}

interface Sample {
  readonly microseconds: number
  readonly perSecond: number
  readonly pssMiB: number
}

async function fill(server: ObjectServer): Promise<void> {
  const options = { s3: { endpoint: server.endpoint, region: 'us-east-1', style: 'path' as const } }
  Object.assign(process.env, server.env)
  const store = await openStore(`s3://${server.bucket}`, options)
  try {
    for (const { bytes, count } of SIZES) {
      const body = new Uint8Array(bytes).map((_, i) => i * 31)
      for (let first = 0; first < count; first += 32)
        await Promise.all(
          Array.from({ length: Math.min(32, count - first) }, (_, i) =>
            store.put(`o${bytes}/${String(first + i).padStart(6, '0')}`, body),
          ),
        )
    }
  } finally {
    await store.close()
  }
}

async function objects() {
  const server = await ObjectServer.start()
  if (typeof server === 'string') return server
  try {
    await fill(server)
    const env = { ...server.env, AWS_ENDPOINT_URL: server.endpoint, AWS_DEFAULT_REGION: 'us-east-1' }
    const rows = []
    for (const { bytes, count } of SIZES) {
      const results: (Way & { readonly best: Sample | string })[] = []
      for (const way of WAYS) {
        const turns: Sample[] = []
        let failure = ''
        for (let turn = 0; turn < TURNS; turn++) {
          const url = `s3://${server.bucket}/o${bytes}/`
          const args = [way.library, way.kind, way.workers, url, bytes * count, count, '--epochs', quick ? 1 : 2].map(
            String,
          )
          const result = await measured<Sample>([join(scripts, 'objects.py'), ...args], env)
          if (typeof result === 'string') failure = result
          else turns.push(result)
          if (failure !== '') break
        }
        const best = turns.toSorted((a, b) => a.microseconds - b.microseconds)[0]
        say(
          `${bytes} ${way.library} ${way.kind} ${way.workers}: ${best === undefined ? failure : JSON.stringify(best)}`,
        )
        results.push({ ...way, best: best ?? failure })
      }
      rows.push({ bytes, count, results })
    }
    return rows
  } finally {
    await server.end()
  }
}

async function typescriptRate(path: string): Promise<number> {
  const cache = await openImageCache(path)
  const rates: number[] = []
  try {
    const image = [randomResizedCrop(224), randomHorizontalFlip()]
    const loader = load(cache, { batchSize: 256, shuffle: true, threads: 1, tail: 'drop', image })
    for (let epoch = 0; epoch < 4; epoch++) {
      const start = performance.now()
      let images = 0
      for await (const { meta } of loader) images += meta.size
      rates.push((1000 * images) / (performance.now() - start))
    }
    loader.close()
  } finally {
    await cache.close()
  }
  return Math.max(...rates.slice(1))
}

/** The first set of the vision benchmark: 2,000 JPEGs, short side 256, quality 90. */
async function images() {
  const { folder: photos } = await imageSet('short256-q90', FULL, say)
  const scratch = mkdtempSync(join(process.env.HEADRACE_SCRATCH ?? tmpdir(), 'headrace-bench-python-'))
  try {
    const rows = []
    for (const encoding of ['jpeg', 'dct']) {
      const cache = join(scratch, encoding)
      const build = spawn(process.execPath, [cli, 'cache', 'build', photos, cache, '--encoding', encoding], {
        stdio: 'ignore',
      })
      await once(build, 'exit')
      const own: number[] = []
      const fromPython: number[] = []
      const others: number[] = []
      for (let turn = 0; turn < TURNS; turn++) {
        own.push(await typescriptRate(cache))
        for (const [list, args] of [
          [fromPython, ['headrace', cache]],
          [others, ['imagefolder', photos]],
        ] as const) {
          const result = await measured<{ imagesPerSecond: number }>(
            [join(scripts, 'images.py'), ...args, '--workers', '1', '--epochs', '3'],
            {},
          )
          if (typeof result === 'string') throw new Error(result)
          list.push(result.imagesPerSecond)
        }
      }
      const row = {
        encoding,
        typescript: three(Math.max(...own)),
        pytorch: three(Math.max(...fromPython)),
        imageFolder: three(Math.max(...others)),
      }
      say(JSON.stringify(row))
      rows.push(row)
    }
    return rows
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

function figuresOf({ objects: sets, images: sources }: Results): Figure[] {
  const figures: Figure[] = []
  if (typeof sets !== 'string')
    for (const { bytes, results } of sets) {
      const of = (mine: boolean) =>
        results
          .filter(
            (row): row is Way & { best: Sample } =>
              typeof row.best !== 'string' && (row.library === 'headrace') === mine,
          )
          .toSorted((a, b) => a.best.microseconds - b.best.microseconds)[0]
      const [ours, theirs] = [of(true), of(false)]
      if (ours === undefined || theirs === undefined) continue
      const ratio = ours.best.microseconds / theirs.best.microseconds
      figures.push({
        what: `an object of ${bytes / 1024} KiB into a torch tensor, CPU of engine and client`,
        target: '<= 1/3 of the best peer, no more memory',
        ours: `${three(ours.best.microseconds)} us (${three(ratio)}x), ${Math.round(ours.best.pssMiB)} MiB (${ours.kind})`,
        against: `${theirs.library} ${theirs.kind} ${three(theirs.best.microseconds)} us, ${Math.round(theirs.best.pssMiB)} MiB`,
        met: ratio <= 1 / 3 && ours.best.pssMiB <= theirs.best.pssMiB,
      })
    }
  if (typeof sources !== 'string')
    for (const { encoding, typescript, pytorch, imageFolder } of sources) {
      const least = encoding === 'dct' ? 10 : 3.5
      figures.push(
        {
          what: `images/s of a \`${encoding}\` cache in PyTorch, one thread`,
          target: '>= 97 % of TypeScript',
          ours: `${pytorch} (${three((100 * pytorch) / typescript)} %)`,
          against: `TypeScript ${typescript}`,
          met: pytorch >= 0.97 * typescript,
        },
        {
          what: `the same, over DataLoader with one worker, ImageFolder and Pillow`,
          target: `>= ${least}x`,
          ours: `${three(pytorch / imageFolder)}x`,
          against: `${imageFolder}`,
          met: pytorch >= least * imageFolder,
        },
      )
    }
  return figures
}

interface Results {
  readonly objects: Awaited<ReturnType<typeof objects>>
  readonly images: Awaited<ReturnType<typeof images>>
}

if (!existsSync(python)) say(`skipped: there is no ${python}`)
else {
  const results = {
    quick,
    machine: { processor: cpus()[0]?.model, cores: cpus().length, loadBefore: three(loadavg()[0] ?? 0) },
    images: await images(),
    objects: await objects(),
  }
  process.stdout.write(`${JSON.stringify(results, undefined, 2)}\n`)
  if (!quick) record('python', results, figuresOf(results))
}
