import type { Sample } from '../../datasets/types.ts'
import { HeadraceError, throwIfAborted } from '../../errors.ts'
import { native } from '../../native.ts'
import { spreadEvenly } from '../../sampling/spread.ts'
import type { BuildSource } from './build-source.ts'
import { ImageIntake } from './intake.ts'
import { FREQUENCIES_SHAPE } from './layout.ts'
import type { BuildSettings } from './options.ts'
import type { Frequencies } from './rans-table.ts'

const COUNTS = FREQUENCIES_SHAPE[0] * FREQUENCIES_SHAPE[1]
/** Samples that the frequencies are learnt from, spread evenly over the source. More of them gain under 0.1 %. */
const TRAINING_SAMPLES = 256

async function count(
  read: (id: number) => Promise<Sample>,
  id: number,
  intake: ImageIntake,
  counts: Map<string, Float64Array>,
): Promise<void> {
  const sample = await read(id)
  for (const [name, sums] of counts) {
    const value = sample[name]
    if (!(value instanceof Uint8Array)) continue
    const { bytes, unpacked } = await intake.take(name, value)
    if (unpacked === undefined) native.addSymbolCounts(bytes, sums)
  }
}

/**
 * Learns the frequencies of every image field from samples of the source; the same source gives the same ones. Bad
 * samples teach nothing: the build itself says what is wrong with them. E_USAGE for a stream.
 */
export async function learnFrequencies(source: BuildSource, settings: BuildSettings): Promise<Frequencies> {
  const { sample } = source
  if (sample === undefined)
    throw new HeadraceError('E_USAGE', 'compact learns from samples all over the source, which a stream cannot give', {
      hint: 'build a cache without it, and a compact one from that cache',
    })
  const fields = Object.entries(source.schema).filter(([, { kind }]) => kind === 'image')
  const counts = new Map(fields.map(([name]) => [name, new Float64Array(COUNTS)]))
  const intake = new ImageIntake({ ...settings, compact: false }, new Map())
  const ids = spreadEvenly(source.length ?? 0, TRAINING_SAMPLES)
  for (let start = 0; start < ids.length; start += settings.workers) {
    throwIfAborted(settings.signal, 'the build')
    const some = ids.slice(start, start + settings.workers)
    await Promise.allSettled(some.map((id) => count(sample, id, intake, counts)))
  }
  return new Map([...counts].map(([name, sums]) => [name, native.ransFrequencies(sums)]))
}
