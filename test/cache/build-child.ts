/** Builds a cache in a process of its own, for tests that kill it. */
import { buildImageCache } from '../../src/vision/cache/index.ts'

const [source = '', destination = ''] = process.argv.slice(2)
let told = false
await buildImageCache(source, destination, {
  onProgress: () => {
    if (!told) process.stdout.write('building\n')
    told = true
  },
})
