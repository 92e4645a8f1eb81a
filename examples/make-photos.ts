import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'

/** Many pictures out of few photographs: seeded random crops, scaled down, saved as 4:2:0 JPEG. */
export interface PhotoSet {
  readonly count: number
  /** Pixels of the shorter side, or of the longer one. */
  readonly shortSide?: number
  readonly longSide?: number
  readonly quality: number
  readonly seed: number
}

/** mulberry32: small, seeded, good enough to choose crops with. */
function generator(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Width over height: 4:3 twice as often as 3:4, 1 and 3:2. */
const ASPECTS = [4 / 3, 4 / 3, 3 / 4, 1, 3 / 2]

async function photographs(folder: string): Promise<{ path: string; label: string }[]> {
  const found: { path: string; label: string }[] = []
  for (const entry of (await readdir(folder, { withFileTypes: true })).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (!entry.isDirectory()) continue
    for (const name of (await readdir(join(folder, entry.name))).sort())
      found.push({ path: join(folder, entry.name, name), label: entry.name })
  }
  return found
}

/** Writes `set.count` pictures into class folders below `destination`. `onProgress` hears how many are done. */
export async function makePhotos(
  source: string,
  destination: string,
  set: PhotoSet,
  onProgress?: (done: number) => void,
): Promise<void> {
  const photos = await photographs(source)
  let done = 0
  for (const [index, { path, label }] of photos.entries()) {
    const { data, info } = await sharp(path)
      .removeAlpha()
      .toColourspace('srgb')
      .raw()
      .toBuffer({ resolveWithObject: true })
    await mkdir(join(destination, label), { recursive: true })
    const raw = { width: info.width, height: info.height, channels: info.channels }
    for (let i = index; i < set.count; i += photos.length) {
      const random = generator(set.seed * 100_003 + i)
      const aspect = ASPECTS[Math.floor(random() * ASPECTS.length)] as number
      const share = 0.6 + 0.4 * random()
      let width = Math.round(share * info.width)
      let height = Math.round(width / aspect)
      if (height > info.height) {
        height = info.height
        width = Math.min(info.width, Math.round(height * aspect))
      }
      const left = Math.floor(random() * (info.width - width + 1))
      const top = Math.floor(random() * (info.height - height + 1))
      const scale =
        set.shortSide !== undefined
          ? set.shortSide / Math.min(width, height)
          : (set.longSide ?? Math.max(width, height)) / Math.max(width, height)
      const jpeg = await sharp(data, { raw })
        .extract({ left, top, width, height })
        .resize(Math.round(width * scale), Math.round(height * scale), { fit: 'fill' })
        .toColourspace('srgb')
        .jpeg({ quality: set.quality, chromaSubsampling: '4:2:0' })
        .toBuffer()
      await writeFile(join(destination, label, `${String(i).padStart(5, '0')}.jpg`), jpeg)
      onProgress?.(++done)
    }
  }
}
