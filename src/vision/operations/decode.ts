import { booleanOption, knownOptions, oneOf, positiveInteger } from '../../checks.ts'
import { DEFAULT_MAX_PIXELS } from '../max-pixels.ts'
import type { DecodeOperation } from './types.ts'

export interface DecodeOptions {
  /** `islow` is libjpeg's exact default; `ifast` is what FFCV and slipstream use. 'islow'. */
  readonly dct?: 'islow' | 'ifast'
  /** Triangle-filtered chroma, libjpeg's default; false repeats chroma samples. true. */
  readonly fancyUpsampling?: boolean
  /** Keeps what libjpeg makes of damaged data in place of calling the sample bad. false. */
  readonly tolerant?: boolean
  /** Larger pictures are bad samples (E_LIMIT). 178,956,970, Pillow's limit. */
  readonly maxPixels?: number
}

/**
 * Decodes to RGB. Alone: every picture at its own size, delivered as RaggedImages. Before a crop: sets how that decodes.
 */
export function decode(options: DecodeOptions = {}): DecodeOperation {
  knownOptions('decode', options, ['dct', 'fancyUpsampling', 'tolerant', 'maxPixels'])
  return {
    operation: 'decode',
    dct: oneOf('dct', options.dct ?? 'islow', ['islow', 'ifast']),
    fancyUpsampling: booleanOption('fancyUpsampling', options.fancyUpsampling ?? true),
    tolerant: booleanOption('tolerant', options.tolerant ?? false),
    maxPixels: positiveInteger('maxPixels', options.maxPixels ?? DEFAULT_MAX_PIXELS),
  }
}
