import { formatBytes } from '../bytes.ts'
import type { ImageCacheInfo } from '../vision/index.ts'

/** Classes that are named; --json has them all. */
const NAMED = 10

type Fact = readonly [label: string, value: string | number]
type FieldInfo = ImageCacheInfo['fields'][string]

/** "image, jpeg, 1.2 MiB, at most 31 KiB each, 250 x 188 pixels on average" */
function describeField({ kind, dtype, encoding, form, bytes, maxSize, meanWidth, meanHeight }: FieldInfo): string {
  return [
    kind,
    ...(dtype === undefined ? [] : [dtype]),
    ...(encoding === undefined ? [] : [form === 'compact' ? `${encoding} (compact)` : encoding]),
    ...(bytes === undefined ? [] : [formatBytes(bytes)]),
    ...(maxSize === undefined ? [] : [`at most ${formatBytes(maxSize)} each`]),
    ...(meanWidth === undefined || meanHeight === undefined
      ? []
      : [`${Math.round(meanWidth)} x ${Math.round(meanHeight)} pixels on average`]),
  ].join(', ')
}

function describeClasses(classes: readonly string[]): string {
  const more = classes.length > NAMED ? ', ...' : ''
  return `${classes.length.toLocaleString('en-US')}: ${classes.slice(0, NAMED).join(', ')}${more}`
}

function named(label: string, values: Readonly<Record<string, unknown>> | undefined): readonly Fact[] {
  const entries = Object.entries(values ?? {})
  return entries.length === 0 ? [] : [[label, entries.map(([name, value]) => `${name} ${String(value)}`).join(', ')]]
}

/** What `cache info` says in words, a line each. */
export function infoFacts(found: ImageCacheInfo): readonly Fact[] {
  const { images, bytes, encoding, fields, classes, skipped, reencoded, unpacked, options, source, checksums } = found
  return [
    ['images', images.toLocaleString('en-US')],
    ['bytes', formatBytes(bytes)],
    ['encoding', encoding],
    ...Object.entries(fields).map(([name, field]): Fact => [`field ${name}`, describeField(field)]),
    ...(classes === undefined ? [] : [['classes', describeClasses(classes)] as const]),
    ...named('options', options),
    ...(skipped === undefined ? [] : [['skipped', `${skipped.toLocaleString('en-US')} bad samples`] as const]),
    ...(reencoded === undefined ? [] : [['encoded anew', describeReencoded(reencoded)] as const]),
    ...(unpacked === undefined ? [] : [['stayed JPEG', describeUnpacked(unpacked)] as const]),
    ['source', source?.url ?? 'not known'],
    ['version', found.version],
    ['checksums', checksums ? 'of every byte' : 'none'],
    ['libjpeg-turbo', found.libjpegTurbo],
    ['SIMD', found.simd],
  ]
}

function describeUnpacked(unpacked: Readonly<Record<string, number>>): string {
  const reasons = Object.entries(unpacked)
  if (reasons.length === 0) return 'none'
  return reasons.map(([reason, n]) => `${n.toLocaleString('en-US')} (${reason})`).join(', ')
}

function describeReencoded(reencoded: Readonly<Record<string, number>>): string {
  const types = Object.entries(reencoded)
  if (types.length === 0) return 'none'
  return types.map(([type, n]) => `${n.toLocaleString('en-US')} ${type}`).join(', ')
}
