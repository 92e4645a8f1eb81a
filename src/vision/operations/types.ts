import type { CropLaw } from '../crops/types.ts'

/** How JPEG data is decoded; the first operation where it is given. */
export interface DecodeOperation {
  readonly operation: 'decode'
  readonly dct: 'islow' | 'ifast'
  readonly fancyUpsampling: boolean
  readonly tolerant: boolean
  readonly maxPixels: number
}

/** Which part becomes an output of fixed size. */
export interface CropOperation {
  readonly operation: 'crop'
  readonly name: string
  readonly width: number
  readonly height: number
  readonly law: CropLaw
}

export interface FlipOperation {
  readonly operation: 'flip'
  readonly probability: number
}

export interface NormalizeOperation {
  readonly operation: 'normalize'
  readonly mean: readonly [number, number, number]
  readonly std: readonly [number, number, number]
}

export type ImageOperation = DecodeOperation | CropOperation | FlipOperation | NormalizeOperation
