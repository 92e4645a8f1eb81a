/**
 * Trains a small classifier on batches of an image cache with TensorFlow.js and checks that its loss falls.
 * The wasm backend has no gradients for convolutions, so the model is dense layers on small pictures.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import * as tf from '@tensorflow/tfjs'
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm'
import {
  buildImageCache,
  imagenet,
  load,
  normalize,
  openImageCache,
  randomHorizontalFlip,
  randomResizedCrop,
} from 'headrace'
import { makePhotos } from './make-photos.ts'

const SIDE = 24
const BATCH = 24
const EPOCHS = 12

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..')
const require = createRequire(join(root, 'examples', 'package.json'))
setWasmPaths(`${dirname(require.resolve('@tensorflow/tfjs-backend-wasm'))}/`)
await tf.setBackend('wasm')

const work = await mkdtemp(join(tmpdir(), 'headrace-train-'))
try {
  await makePhotos(join(root, 'examples', 'data', 'photos'), join(work, 'photos'), {
    count: 240,
    shortSide: 64,
    quality: 90,
    seed: 2,
  })
  await buildImageCache(join(work, 'photos'), join(work, 'photos.cache'))
  const cache = await openImageCache(join(work, 'photos.cache'))
  const classes = cache.classes?.length ?? 0

  const model = tf.sequential({
    layers: [
      tf.layers.flatten({ inputShape: [SIDE, SIDE, 3] }),
      tf.layers.dense({ units: 64, activation: 'relu', kernelInitializer: tf.initializers.glorotUniform({ seed: 1 }) }),
      tf.layers.dense({ units: classes, kernelInitializer: tf.initializers.glorotUniform({ seed: 2 }) }),
    ],
  })
  const optimizer = tf.train.adam(0.002)
  const losses: number[] = []
  const loader = load(cache, {
    batchSize: BATCH,
    tail: 'drop',
    shuffle: true,
    seed: 7,
    image: [randomResizedCrop(SIDE, { scale: [0.5, 1] }), randomHorizontalFlip(), normalize(imagenet)],
  })
  for (let epoch = 0; epoch < EPOCHS; epoch++) {
    let sum = 0
    for await (const { image, label } of loader) {
      const loss = optimizer.minimize(() => {
        const x = tf.tensor4d(image.data, image.shape as [number, number, number, number])
        const y = tf.oneHot(tf.tensor1d(Int32Array.from(label.data, Number), 'int32'), classes)
        return tf.losses.softmaxCrossEntropy(y, model.apply(x) as tf.Tensor) as tf.Scalar
      }, true)
      sum += (await loss?.data())?.[0] ?? Number.NaN
      loss?.dispose()
    }
    losses.push(sum / loader.steps)
    console.log(`epoch ${epoch}: loss ${losses[epoch]?.toFixed(4)}`)
  }
  loader.close()
  await cache.close()
  const [first, last] = [losses[0] as number, losses[losses.length - 1] as number]
  if (!(last < 0.6 * first))
    throw new Error(`the loss must fall below 60 % of its start, but went from ${first} to ${last}`)
  console.log(
    `loss fell from ${first.toFixed(3)} to ${last.toFixed(3)} over ${cache.length} images of ${classes} classes`,
  )
} finally {
  await rm(work, { recursive: true, force: true })
}
