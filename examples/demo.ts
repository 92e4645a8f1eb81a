/**
 * The main job on real photographs: photos -> image cache -> augmented batches, here and in Python. Then a workload of
 * DLIO's, scaled down.
 * Run by `make demo`.
 */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import {
  type BenchVisionReport,
  benchVision,
  buildImageCache,
  openImageCache,
  previewSheet,
  randomHorizontalFlip,
  randomResizedCrop,
} from 'headrace'
import { makePhotos } from './make-photos.ts'

// Compiled into build/examples, so the repository is two folders up.
const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..')
const photographs = join(root, 'examples', 'data', 'photos')
const work = join(root, 'build', 'demo')
const photos = join(work, 'photos')
const cachePath = join(work, 'photos.cache')
const sheetPath = join(root, 'contact-sheet.png')

const COUNT = 1008
const BATCH = 64

const thousands = (n: number): string => Math.round(n).toLocaleString('en-US')

let finished = ''
/** Redraws one line on a terminal; elsewhere only the last state is printed, once. */
function progress(label: string, done: number, total: number, text = ''): void {
  const filled = Math.round((24 * done) / total)
  const line = `${label.padEnd(16)} ${'█'.repeat(filled)}${'░'.repeat(24 - filled)} ${String(Math.floor((100 * done) / total)).padStart(3)}% ${text}`
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${line}${done === total ? '\n' : ''}`)
  else if (done === total && finished !== label) process.stderr.write(`${line}\n`)
  finished = done === total ? label : ''
}

// 1. About 1,000 pictures out of 24 photographs. Made under another name first, so that a broken run leaves no half set.
if (!existsSync(photos)) {
  const unfinished = `${photos}.unfinished`
  await rm(unfinished, { recursive: true, force: true })
  await makePhotos(photographs, unfinished, { count: COUNT, shortSide: 256, quality: 90, seed: 1 }, (done) =>
    progress('making photos', done, COUNT),
  )
  await rename(unfinished, photos)
}

// 2. The cache: JPEG bytes as they are, with sizes, labels and checksums.
const built = await buildImageCache(photos, cachePath, {
  force: true,
  onProgress: ({ images, total, seconds }) =>
    progress('building cache', images, total ?? COUNT, `${thousands(images / seconds)} images/s`),
})
console.log(
  `cache: ${thousands(built.images)} images, ${(built.bytes / 1e6).toFixed(1)} MB, built in ${built.seconds.toFixed(2)} s`,
)

// 3. Three epochs of random resized crops in shuffled order, the first one cold.
const report = await benchVision(cachePath, {
  pipeline: 'train',
  batch: BATCH,
  epochs: 3,
  shuffle: true,
  seed: 7,
  cold: true,
  onProgress: ({ epoch, images, total, seconds }) =>
    progress(`epoch ${epoch}`, images, total, `${thousands(images / seconds)} images/s`),
})

// 4. The same pictures as packed coefficients: how much faster are the same batches?
const packedPath = join(work, 'photos.dct.cache')
const packed = await buildImageCache(cachePath, packedPath, { encoding: 'dct', force: true })
const onOneThread = (path: string): Promise<BenchVisionReport> =>
  benchVision(path, { pipeline: 'train', batch: BATCH, epochs: 4, shuffle: true, seed: 7, threads: 1 })
const [jpegRate, packedRate] = [await onOneThread(cachePath), await onOneThread(packedPath)]

// 5. What the model sees.
const cache = await openImageCache(cachePath)
await writeFile(
  sheetPath,
  await previewSheet(cache, { image: [randomResizedCrop(224), randomHorizontalFlip()], count: 32, seed: 7 }),
)
await cache.close()

const { cold, epochs, threads, batchShape, simd } = report
console.log(`batches: [${batchShape.join(', ')}] uint8, ${threads} thread(s), ${simd}`)
if (cold !== undefined)
  console.log(
    `cold:  ${thousands(cold.imagesPerSecond)} images/s (${(100 * cold.residentShare).toFixed(1)} % of the cache in memory before, ${
      cold.deviceBytes === undefined
        ? 'device bytes not known'
        : `${(cold.deviceBytes / 1e6).toFixed(1)} MB read from the device`
    })`,
  )
console.log(
  `warm:  ${thousands(report.imagesPerSecond)} images/s (epochs: ${epochs
    .slice(1)
    .map((e) => thousands(e.imagesPerSecond))
    .join(', ')})`,
)
console.log(
  `dct:   ${thousands(packedRate.imagesPerSecond)} images/s against ${thousands(jpegRate.imagesPerSecond)} of jpeg with one thread (${(
    packedRate.imagesPerSecond / jpegRate.imagesPerSecond
  ).toFixed(2)}x), the same pixels, ${(packed.bytes / built.bytes).toFixed(2)}x the bytes`,
)
console.log(`sheet: ${sheetPath}`)

// 6. A few steps of training in PyTorch, TensorFlow or JAX, on batches in shared memory.
const { HEADRACE_PYTHON, HEADRACE_FRAMEWORKS, HEADRACE_CACHE_DIR, XDG_CACHE_HOME, HOME = '' } = process.env
const cacheFolder = HEADRACE_CACHE_DIR ?? join(XDG_CACHE_HOME ?? join(HOME, '.cache'), 'headrace')
const environments = [HEADRACE_FRAMEWORKS, join(cacheFolder, 'frameworks-venv'), join(root, '.venv')]
const pythons = [HEADRACE_PYTHON, ...environments.map((venv) => venv && join(venv, 'bin', 'python')), 'python3']
const HAS = 'import importlib.util as u, numpy; print(any(map(u.find_spec, ["torch", "tensorflow", "jax"])))'
/** The first Python that has a framework; whether it has NumPy is asked with it. */
async function findPython(): Promise<string | undefined> {
  for (const python of pythons) {
    if (python === undefined) continue
    const answer = await promisify(execFile)(python, ['-c', HAS]).catch(() => undefined)
    if (answer?.stdout.trim() === 'True') return python
  }
  return undefined
}
const python = await findPython()
if (python === undefined)
  console.log('train: no Python with PyTorch, TensorFlow or JAX here: make test-frameworks installs one')
else {
  const env = { ...process.env, PYTHONPATH: join(root, 'python'), TF_CPP_MIN_LOG_LEVEL: '3' }
  const trained = await promisify(execFile)(python, [join(root, 'examples', 'train.py'), packedPath], { env })
  process.stdout.write(trained.stdout)
}

// 7. DLIO's unet3d_h100, a hundredth of its bytes and a tenth of its computation: generated, then trained by two ranks.
const dlio = join(work, 'dlio')
await rm(dlio, { recursive: true, force: true })
const overrides = {
  'workflow.generate_data': true,
  'dataset.data_folder': join(dlio, 'data'),
  'dataset.num_files_train': 56,
  'dataset.record_length_bytes': 1_466_006,
  'dataset.record_length_bytes_stdev': 683_418,
  'checkpoint.checkpoint_folder': join(dlio, 'checkpoints'),
  'train.epochs': 2,
  'train.computation_time': 0.0323,
}
console.log('\nheadrace dlio workload=unet3d_h100 --ranks 2, scaled down:')
const { stdout } = await promisify(execFile)(
  process.execPath,
  [
    join(root, 'dist', 'cli', 'headrace.cjs'),
    'dlio',
    'workload=unet3d_h100',
    ...Object.entries(overrides).map(([key, value]) => `++workload.${key}=${value}`),
    `++hydra.run.dir=${join(dlio, 'results')}`,
    '--ranks',
    '2',
  ],
  { cwd: work, maxBuffer: 2 ** 24 },
)
// From the block of metrics to the verdict; what every step did is in the results.
console.log(stdout.slice(Math.max(0, stdout.indexOf('[METRIC]'))).trimEnd())
