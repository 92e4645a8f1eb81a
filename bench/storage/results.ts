import type { Host } from '../vision/machine.ts'
import type { HttpClients } from './http-client.ts'
import type { Local } from './local.ts'
import type { Requests } from './requests.ts'
import type { Streamed } from './streams.ts'

/** The parts that can be asked for by name. */
export const PARTS = ['requests', 'rate', 'streams', 'http', 'local'] as const
export type Part = (typeof PARTS)[number]

/** GETs of 128 KiB without checksums from a server that is not the limit. */
export interface Rate {
  readonly size: number
  readonly perCpuSecond: number
  readonly perSecond: number
  /** Microseconds of CPU each. */
  readonly user: number
  readonly system: number
}

/** One run, written as JSON; parts that were not asked for are absent. */
export interface Results {
  readonly quick: boolean
  readonly machine: Host
  /** A text says why there are none. */
  requests?: Requests | string
  rate?: Rate
  streams?: readonly Streamed[]
  http?: HttpClients
  local?: Local
}
