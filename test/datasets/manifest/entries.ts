import type { ManifestEntry } from '../../../src/datasets/manifest/types.ts'

/** Made-up objects in order; their etags are of every kind. */
export function madeUpEntries(count: number): ManifestEntry[] {
  return Array.from({ length: count }, (_, i) => ({
    key: `train/class${String(i >> 6).padStart(5, '0')}/img_${String(i).padStart(9, '0')}.jpg`,
    size: (i * 7919) % 200_000,
    etag: etagOf(i),
  }))
}

function etagOf(i: number): string {
  const digest = ((BigInt(i + 1) * 0x9e3779b97f4a7c15f39cc0605cedc835n) & (2n ** 128n - 1n))
    .toString(16)
    .padStart(32, '0')
  return [digest, `${digest}-${1 + (i % 10_000)}`, `ino-${i.toString(36)}`, ''][i % 4] as string
}
