import { createHash } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { z } from 'zod'
import { show } from '../../checks.ts'
import { fromSystemError, HeadraceError } from '../../errors.ts'
import { native } from '../../native.ts'
import { readRegularFile } from '../../storage/file/descriptor.ts'
import type { Extents } from './extent.ts'
import { isFieldName, MANIFEST } from './layout.ts'

/** Version of what we add to slipstream's layout. */
const FORMAT_VERSION = 1
/** Room for a hundred thousand long class names. */
const MAX_MANIFEST_BYTES = 64 * 1024 * 1024

/** This package's version, as its caches record it. */
export const TOOL_VERSION: string = (createRequire(import.meta.url)('../../../package.json') as { version: string })
  .version

const count = z.int().min(0)
const checksum = z.string().regex(/^[0-9a-f]{8}$/)

const fieldSchema = z.looseObject({
  type: z.string().min(1).max(64),
  num_samples: count,
  max_size: count.optional(),
  image_format: z.enum(['jpeg', 'yuv420', 'dct']).optional(),
  /** Of packed coefficients. 'plain' when absent. */
  form: z.enum(['plain', 'compact']).optional(),
})

const ownSchema = z.looseObject({
  formatVersion: count,
  version: z.string(),
  encoding: z.string(),
  source: z.looseObject({ url: z.string().optional(), fingerprint: z.string().optional() }),
  options: z.record(z.string(), z.unknown()),
  classes: z.array(z.string()).optional(),
  reencoded: z.record(z.string(), count),
  unpacked: z.record(z.string(), count).optional(),
  encoder: z.string().optional(),
  skipped: count,
  /** CRC-32C of every file but this one. */
  checksums: z.record(z.string(), checksum),
  /** sha256 over every file's name, size and checksum. */
  contentHash: z.string().regex(/^[0-9a-f]{64}$/),
  /** CRC-32C of this manifest with this value as eight zeros. */
  checksum,
})

const manifestSchema = z.looseObject({
  version: z.literal(1),
  num_samples: count,
  fields: z.record(z.string(), fieldSchema),
  file_sizes: z.record(z.string(), count).optional(),
  headrace: ownSchema.optional(),
})

export type Manifest = z.infer<typeof manifestSchema>
export type ManifestField = z.infer<typeof fieldSchema>
/** What only our own caches say. */
export type OwnManifest = z.infer<typeof ownSchema>

export const hexChecksum = (crc: number): string => crc.toString(16).padStart(8, '0')

const NO_CHECKSUM = '00000000'

async function notCache(folder: string, cause: unknown): Promise<HeadraceError> {
  const found = await stat(folder).catch(() => undefined)
  const what =
    found === undefined
      ? 'does not exist'
      : `is not an image cache: it ${found.isDirectory() ? `has no ${MANIFEST}` : 'is a file'}`
  return new HeadraceError('E_NOT_FOUND', `${folder} ${what}`, { path: folder, cause })
}

/** Reads and checks a cache's manifest. E_NOT_FOUND where there is none, E_CORRUPT where it is not one. */
export async function readManifest(folder: string): Promise<{ readonly manifest: Manifest; readonly text: string }> {
  const path = join(folder, MANIFEST)
  let text: string
  try {
    text = (await readRegularFile(path, MAX_MANIFEST_BYTES)).toString()
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code === 'ENOENT' || code === 'ENOTDIR') throw await notCache(folder, error)
    throw fromSystemError(error, `reading ${path}`, { path })
  }
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (cause) {
    throw new HeadraceError('E_CORRUPT', `${path} is not JSON: ${(cause as Error).message}`, { path, cause })
  }
  const parsed = manifestSchema.safeParse(json)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    const where = issue?.path.join('.') || 'the whole'
    const value = issue?.path.reduce<unknown>((part, name) => (part as Record<PropertyKey, unknown>)?.[name], json)
    throw new HeadraceError(
      'E_CORRUPT',
      `${path}: ${where}: ${issue?.message ?? 'malformed'}, but got ${show(value)}`,
      {
        path,
        cause: parsed.error,
      },
    )
  }
  const manifest = parsed.data
  if (manifest.headrace !== undefined && manifest.headrace.formatVersion > FORMAT_VERSION)
    throw new HeadraceError(
      'E_UNSUPPORTED',
      `${path} was written by a newer headrace (format ${manifest.headrace.formatVersion})`,
      { path },
    )
  const entries = Object.entries(manifest.fields)
  if (entries.length === 0) throw new HeadraceError('E_CORRUPT', `${path}: no fields`, { path })
  for (const [name, { num_samples }] of entries) {
    if (!isFieldName(name))
      throw new HeadraceError('E_CORRUPT', `${path}: a field named ${JSON.stringify(name)}`, { path })
    if (num_samples !== manifest.num_samples)
      throw new HeadraceError(
        'E_CORRUPT',
        `${path}: field ${name} has ${num_samples} samples, the cache ${manifest.num_samples}`,
        { path },
      )
  }
  return { manifest, text }
}

/** Why the text is not the manifest as it was written; undefined: it is. Only our own manifests can tell. */
export function manifestDamage(text: string): string | undefined {
  const json = JSON.parse(text) as { headrace?: { checksum?: string } }
  const said = json.headrace?.checksum
  if (json.headrace === undefined || said === undefined) return undefined
  if (serialised(json) !== text) return 'is not as it was written'
  json.headrace.checksum = NO_CHECKSUM
  const found = hexChecksum(native.crc32c(Buffer.from(serialised(json))))
  return found === said ? undefined : `has the checksum ${found}, not ${said}`
}

const serialised = (manifest: object): string => `${JSON.stringify(manifest, undefined, 2)}\n`

/** What identifies the samples of a cache: independent of where they came from and when. */
export function contentHash(samples: number, files: Extents): string {
  const hash = createHash('sha256').update(`${samples}\n`)
  for (const name of Object.keys(files).sort()) {
    const file = files[name]
    if (file) hash.update(`${name}\0${file.bytes}\0${hexChecksum(file.crc)}\n`)
  }
  return hash.digest('hex')
}

/** A manifest's text, its own checksum filled in. */
export function manifestText(
  samples: number,
  fields: Readonly<Record<string, ManifestField>>,
  files: Extents,
  own: Omit<OwnManifest, 'formatVersion' | 'version' | 'checksums' | 'contentHash' | 'checksum'>,
): string {
  const headrace = {
    formatVersion: FORMAT_VERSION,
    version: TOOL_VERSION,
    ...own,
    checksums: Object.fromEntries(Object.entries(files).map(([name, { crc }]) => [name, hexChecksum(crc)])),
    contentHash: contentHash(samples, files),
    checksum: NO_CHECKSUM,
  }
  const manifest = {
    version: 1,
    num_samples: samples,
    fields,
    file_sizes: Object.fromEntries(Object.entries(files).map(([name, { bytes }]) => [name, bytes])),
    headrace,
  }
  const crc = native.crc32c(Buffer.from(serialised(manifest)))
  return serialised({ ...manifest, headrace: { ...headrace, checksum: hexChecksum(crc) } })
}
