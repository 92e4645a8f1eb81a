import { stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { ImageFolderSchema } from '../../datasets/image-folder.ts'
import type { Field, Schema } from '../../datasets/types.ts'
import { fromSystemError, HeadraceError } from '../../errors.ts'
import { native } from '../../native.ts'
import { localPath } from '../../storage/file/local-path.ts'
import { ImageCache } from './image-cache.ts'
import { describeCache, type ImageCacheInfo } from './info.ts'
import { filesOf, frequenciesFile, type ImageEncoding, kindOfType, MANIFEST, storageOf } from './layout.ts'
import { contentHash, type Manifest, readManifest } from './manifest.ts'
import { readFrequencies } from './rans-table.ts'
import { BlobColumn, NumberColumn, type StoredColumn, TextColumn } from './stored-columns.ts'

/** Sizes of all files of the cache; E_CORRUPT for one that is missing or not as large as the manifest says. */
async function checkSizes(folder: string, manifest: Manifest): Promise<ReadonlyMap<string, number>> {
  const names = Object.entries(manifest.fields).flatMap(([name, { type, form }]) => {
    const { data, table } = filesOf(name, storageOf(kindOfType(type)))
    const frequencies = form === 'compact' ? [frequenciesFile(name)] : []
    return data === undefined ? [table] : [data, table, ...frequencies]
  })
  const sizes = new Map<string, number>()
  for (const name of names) {
    const path = join(folder, name)
    const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') throw new HeadraceError('E_CORRUPT', `${path}: is missing`, { path, cause: error })
      throw fromSystemError(error, `looking at ${path}`, { path })
    })
    if (!found.isFile()) throw new HeadraceError('E_CORRUPT', `${path}: is not a regular file`, { path })
    const said = manifest.file_sizes?.[name]
    if (said !== undefined && said !== found.size)
      throw new HeadraceError('E_CORRUPT', `${path}: has ${found.size} bytes, but ${MANIFEST} says ${said}`, { path })
    sizes.set(name, found.size)
  }
  return sizes
}

function openColumn(folder: string, name: string, kind: Field['kind'], samples: number): Promise<StoredColumn> {
  if (kind === 'number') return NumberColumn.open(folder, name, samples)
  return kind === 'string' ? TextColumn.open(folder, name, samples) : BlobColumn.open(folder, name, samples)
}

/** A cache without our checksums is known by its manifest, sizes and tables: everything but the samples' own bytes. */
function foreignFingerprint(text: string, columns: ReadonlyMap<string, StoredColumn>, samples: number): string {
  const tables = [...columns].map(([name, column]): [string, { bytes: number; crc: number }] => {
    if (column.storage === 'number') {
      const { buffer, byteLength } = column.values
      return [name, { bytes: byteLength, crc: native.crc32c(new Uint8Array(buffer)) }]
    }
    const ends = Float64Array.from({ length: samples * 2 }, (_, i) =>
      i % 2 === 0 ? column.offset(i >> 1) : column.size(i >> 1),
    )
    return [name, { bytes: column.map.bytes, crc: native.crc32c(new Uint8Array(ends.buffer)) }]
  })
  const manifest = { bytes: text.length, crc: native.crc32c(Buffer.from(text)) }
  return `tables-${contentHash(samples, Object.fromEntries([...tables, [MANIFEST, manifest]]))}`
}

/**
 * Opens an image cache made by headrace or slipstream (JPEG or YUV420). S names the fields where they are not those
 * of an image folder. E_NOT_FOUND where there is no cache; E_CORRUPT naming the file where one is missing, short or
 * points outside; E_UNSUPPORTED where it is from a newer version. Bytes of samples are not checked here: see
 * `verifyImageCache`.
 */
export async function openImageCache<S extends Schema = ImageFolderSchema>(path: string): Promise<ImageCache<S>> {
  const folder = resolve(localPath('a cache', path))
  const { manifest, text } = await readManifest(folder)
  const sizes = await checkSizes(folder, manifest)
  const samples = manifest.num_samples
  const columns = new Map<string, StoredColumn>()
  const encodings = new Map<string, ImageEncoding>()
  const frequencies = new Map<string, Uint16Array>()
  const fields: [string, Field][] = []
  try {
    for (const [name, { type, image_format, form }] of Object.entries(manifest.fields)) {
      const kind = kindOfType(type)
      const column = await openColumn(folder, name, kind, samples)
      columns.set(name, column)
      fields.push([name, column.storage === 'number' ? { kind, dtype: column.dtype } : { kind }])
      if (kind !== 'image') continue
      encodings.set(name, image_format ?? 'jpeg')
      if (image_format === 'dct' && form === 'compact') frequencies.set(name, await readFrequencies(folder, name))
    }
    // the caller says which fields there are; TypeScript cannot see into a file
    const schema = Object.fromEntries(fields) as S
    const bytes =
      [...sizes.values()].reduce((sum, size) => sum + size, Buffer.byteLength(text)) + checksumBytes(manifest)
    return new ImageCache<S>({
      path: folder,
      length: samples,
      schema,
      fingerprint: manifest.headrace?.contentHash ?? foreignFingerprint(text, columns, samples),
      classes: manifest.headrace?.classes,
      columns,
      encodings,
      frequencies,
      info: describeCache(manifest, schema, columns, encodings, bytes),
    })
  } catch (error) {
    for (const column of columns.values()) if (column.storage !== 'number') native.unmapFile(column.map)
    throw error
  }
}

/** Our files of checksums are not needed to read samples, so that a cache opens without them. */
function checksumBytes(manifest: Manifest): number {
  if (manifest.headrace === undefined) return 0
  return Object.entries(manifest.file_sizes ?? {}).reduce(
    (sum, [name, size]) => sum + (name.endsWith('.crc32c.npy') ? size : 0),
    0,
  )
}

/** What a cache holds, and the libjpeg-turbo and instructions that would decode it here. */
export async function imageCacheInfo(path: string): Promise<ImageCacheInfo> {
  const cache = await openImageCache<Schema>(path)
  await cache.close()
  return cache.info
}
