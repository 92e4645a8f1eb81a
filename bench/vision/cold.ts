import type { Preset } from 'headrace'
import { run } from './command.ts'
import { benchHeadrace } from './headrace.ts'
import type { ImageSet } from './sets.ts'

export interface Cold {
  readonly set: string
  readonly pipeline: Preset
  /** Share of the cache in memory before the cold epoch, by mincore. */
  readonly residentShare: number
  /** Read from the device during it, where the system tells. */
  readonly deviceBytes: number | undefined
  readonly cacheBytes: number
  readonly coldImagesPerSecond: number
  readonly warmImagesPerSecond: number
}

/** An epoch straight from the device, and the warm ones behind it, with one thread on core 0. */
export async function measureCold(set: ImageSet, batch: number): Promise<readonly Cold[]> {
  const results: Cold[] = []
  for (const pipeline of ['rrc', 'raw'] as const) {
    await run(['sync']) // pages that are not written yet cannot be dropped
    const report = await benchHeadrace({
      cache: set.cache,
      pipeline,
      batch,
      epochs: 3,
      threads: 1,
      cores: '0',
      more: ['--cold'],
    })
    if (report.cold === undefined) throw new Error('bench vision --cold did not report its cold epoch')
    results.push({
      set: set.name,
      pipeline,
      residentShare: report.cold.residentShare,
      deviceBytes: report.cold.deviceBytes,
      cacheBytes: report.cache.bytes,
      coldImagesPerSecond: report.cold.imagesPerSecond,
      warmImagesPerSecond: report.imagesPerSecond,
    })
  }
  return results
}
