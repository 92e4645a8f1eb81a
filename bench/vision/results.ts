import type { CacheBuild } from './cache-build.ts'
import type { Cold } from './cold.ts'
import type { SetEncodings } from './encodings.ts'
import type { Machine } from './machine.ts'
import type { Memory } from './memory.ts'
import type { Overhead } from './overhead.ts'
import type { SetRates } from './rates.ts'
import type { Scaling } from './scaling.ts'

/** The parts that can be asked for by name. */
export const PARTS = ['rates', 'encodings', 'scaling', 'overhead', 'memory', 'build', 'cold'] as const
export type Part = (typeof PARTS)[number]

/** One run, written as JSON; parts that were not asked for are absent. */
export interface Results {
  readonly quick: boolean
  readonly machine: Machine
  rates?: readonly SetRates[]
  encodings?: readonly SetEncodings[]
  /** Of the JPEG cache, then of that of packed coefficients. */
  scaling?: readonly Scaling[]
  overhead?: readonly Overhead[]
  memory?: readonly Memory[]
  build?: CacheBuild
  cold?: readonly Cold[]
}
