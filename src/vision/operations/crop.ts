import { finiteNumber, knownOptions, oneOf, positiveInteger, show } from '../../checks.ts'
import { HeadraceError } from '../../errors.ts'
import { MAX_JPEG_SIDE } from '../../formats/jpeg.ts'
import { plainCenter, ratioCenter, resizedCenter } from '../crops/center.ts'
import { directLaw, type RandomResizedParameters, slipstreamLaw, torchvisionLaw } from '../crops/random-resized.ts'
import type { CropOperation } from './types.ts'

/** Output pixels: the side of a square, or [height, width]. */
export type Size = number | readonly [number, number]

function sides(size: Size): { width: number; height: number } {
  if (Array.isArray(size)) {
    if (size.length !== 2)
      throw new HeadraceError('E_USAGE', `size must be a number or [height, width], but got ${show(size)}`)
    return {
      height: positiveInteger('size[0]', size[0], MAX_JPEG_SIDE),
      width: positiveInteger('size[1]', size[1], MAX_JPEG_SIDE),
    }
  }
  const side = positiveInteger('size', size, MAX_JPEG_SIDE)
  return { width: side, height: side }
}

function range(name: string, value: unknown, max: number): readonly [number, number] {
  if (!Array.isArray(value) || value.length !== 2)
    throw new HeadraceError('E_USAGE', `${name} must be [smallest, largest], but got ${show(value)}`)
  const low = finiteNumber(`${name}[0]`, value[0], Number.MIN_VALUE, max)
  const high = finiteNumber(`${name}[1]`, value[1], low, max)
  return [low, high]
}

export interface RandomResizedCropOptions {
  /** Share of the picture's area, [smallest, largest]. [0.08, 1]. */
  readonly scale?: readonly [number, number]
  /** Width over height, [smallest, largest]. [3/4, 4/3]. */
  readonly ratio?: readonly [number, number]
}

function parameters(options: RandomResizedCropOptions): RandomResizedParameters {
  return {
    scale: range('scale', options.scale ?? [0.08, 1], 1),
    ratio: range('ratio', options.ratio ?? [3 / 4, 4 / 3], 1000),
  }
}

/**
 * A random part of the picture, resized to `size` (antialiased bilinear). The law of where and how large is
 * torchvision's, or slipstream's (`law: 'slipstream'`: crops around a target point).
 */
export function randomResizedCrop(
  size: Size,
  options: RandomResizedCropOptions & { readonly law?: 'torchvision' | 'slipstream' } = {},
): CropOperation {
  knownOptions('randomResizedCrop', options, ['scale', 'ratio', 'law'])
  const law = oneOf('law', options.law ?? 'torchvision', ['torchvision', 'slipstream'])
  return {
    operation: 'crop',
    name: 'randomResizedCrop',
    ...sides(size),
    law: (law === 'slipstream' ? slipstreamLaw : torchvisionLaw)(parameters(options)),
  }
}

/** slipstream's DirectRandomResizedCrop: draws only what fits, so that nothing is rejected. */
export function directRandomResizedCrop(size: Size, options: RandomResizedCropOptions = {}): CropOperation {
  knownOptions('directRandomResizedCrop', options, ['scale', 'ratio'])
  return { operation: 'crop', name: 'directRandomResizedCrop', ...sides(size), law: directLaw(parameters(options)) }
}

/**
 * The centre of the picture. With `ratio`, FFCV's: a square of ratio x the shorter side, resized to `size`. Without:
 * `size` pixels as they are; a picture that is smaller gives what it has, resized to `size`.
 */
export function centerCrop(size: Size, options: { readonly ratio?: number } = {}): CropOperation {
  knownOptions('centerCrop', options, ['ratio'])
  const { width, height } = sides(size)
  const law =
    options.ratio === undefined
      ? plainCenter(width, height)
      : ratioCenter(finiteNumber('ratio', options.ratio, Number.MIN_VALUE, 1))
  return { operation: 'crop', name: 'centerCrop', width, height, law }
}

/** torchvision's Resize(resize) followed by CenterCrop(size): the usual validation transform, in one pass. */
export function resizeCenterCrop(resize: number, size: Size): CropOperation {
  const { width, height } = sides(size)
  const side = positiveInteger('resize', resize, MAX_JPEG_SIDE)
  if (Math.max(width, height) > side)
    throw new HeadraceError('E_USAGE', `size must not exceed resize (${side}), but got ${show(size)}`)
  return { operation: 'crop', name: 'resizeCenterCrop', width, height, law: resizedCenter(side, width, height) }
}
