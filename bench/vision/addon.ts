import { createRequire } from 'node:module'
import { join } from 'node:path'
import { root } from './places.ts'

/** The little of the addon that decoding without the loader takes; src/native.ts has the meaning of each part. */
export interface DecodeJob {
  readonly source: object
  readonly sourceOffsets: Float64Array
  readonly sourceSizes: Float64Array
  readonly heights: Uint32Array
  readonly widths: Uint32Array
  readonly views: readonly {
    readonly width: number
    readonly height: number
    readonly layout: 'NHWC'
    readonly dtype: 'uint8'
    readonly scale: readonly [number, number, number]
    readonly bias: readonly [number, number, number]
    readonly offsets: Float64Array
  }[]
  readonly boxes: Float64Array
  readonly slot: object
  readonly threads: number
  readonly group: number
  readonly encoding: string
  readonly table: Uint16Array | undefined
  readonly dct: 'islow'
  readonly fancyUpsampling: boolean
  readonly tolerant: boolean
  readonly maxPixels: number
}

interface Addon {
  createSlot(bytes: number): object
  destroySlot(slot: object): void
  decodeImages(job: DecodeJob): Promise<readonly object[]>
}

/** The addon that the package itself has loaded: one process has one of it. */
export function loadAddon(): Addon {
  const require = createRequire(join(root, 'package.json'))
  const find = require('node-gyp-build') as (folder: string) => Addon
  return find(root)
}
