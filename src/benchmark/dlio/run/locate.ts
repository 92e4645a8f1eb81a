import { HeadraceError } from '../../../errors.ts'
import type { FileLayout, RecordFormat } from '../../../formats/types.ts'
import { DataSet } from '../../../generate/data-set.ts'
import type { DataSetSpec, Split } from '../../../generate/types.ts'
import { spreadEvenly } from '../../../sampling/spread.ts'
import type { Store } from '../../../storage/types.ts'

/** Files of a split that are looked at: enough to see that a set is not there, few enough for ten million. */
const LOOKED_AT = 32

/** The set as it lies in storage: perhaps one of more files, of which the first are used. */
export interface LocatedSet {
  /** Names and shapes follow from it. */
  readonly spec: DataSetSpec
  readonly warnings: readonly string[]
}

const HINT = '++workload.workflow.generate_data=True makes the data set'

/**
 * Finds the files of a set by their names, which are known, and looks whether some of them are there and of the right
 * size; nothing is listed unless the first file is missing. Where there are more files than are asked for, their names
 * say so: then the first ones of these are used. E_NOT_FOUND where there are fewer, E_CORRUPT for a file of a wrong size.
 */
export async function locateSet(
  store: Store,
  spec: DataSetSpec,
  format: RecordFormat,
  splits: readonly Split[],
): Promise<LocatedSet> {
  let located = spec
  const warnings: string[] = []
  for (const split of splits) {
    const asked = filesOf(spec, split)
    if (asked === 0) continue
    const first = new DataSet(located).key(firstOf(located, split))
    if ((await store.head(first)) !== undefined) continue
    const found = await countFiles(store, located, split)
    if (found === undefined || found < asked) throw tooFew(store, split, asked, found ?? 0, first)
    located = { ...located, ...(split === 'train' ? { filesTrain: found } : { filesValid: found }) }
    const where = split === 'train' ? 'training' : 'evaluation'
    warnings.push(
      `Number of files for ${where} in ${store.url}/${split} (${found}) is more than requested (${asked}). A subset of files will be used `,
    )
  }
  await lookAtSome(store, located, spec, format, splits)
  return { spec: located, warnings }
}

const filesOf = (spec: DataSetSpec, split: Split) => (split === 'train' ? spec.filesTrain : spec.filesValid)
const firstOf = (spec: DataSetSpec, split: Split) => (split === 'train' ? 0 : spec.filesTrain)

function tooFew(store: Store, split: Split, asked: number, found: number, missing: string): HeadraceError {
  const where = split === 'train' ? 'training' : 'evaluation'
  return new HeadraceError(
    'E_NOT_FOUND',
    `not enough ${where} data: ${asked} files are asked for, but there are ${found} in ${store.url}/${split} (${missing} is not there)`,
    { url: store.url, key: missing, hint: HINT },
  )
}

/** Of how many the names of a split's files say that they are; undefined where none is there. */
async function countFiles(store: Store, spec: DataSetSpec, split: Split): Promise<number | undefined> {
  if (spec.naming !== 'dlio') return undefined
  for await (const entry of store.list(`${split}/`)) {
    if (entry.kind !== 'object') continue
    const name = entry.key.slice(entry.key.lastIndexOf('/') + 1)
    const [, prefix, count] = /^(.*)_\d+_of_(\d+)\.[^.]+$/s.exec(name) ?? []
    if (prefix === spec.prefix && count !== undefined) return Number(count)
  }
  return undefined
}

/** Whether files spread over the ones that are used are there. Where all have another size, the set is another one. */
async function lookAtSome(
  store: Store,
  located: DataSetSpec,
  asked: DataSetSpec,
  format: RecordFormat,
  splits: readonly Split[],
): Promise<void> {
  const set = new DataSet(located)
  for (const split of splits) {
    const count = filesOf(asked, split)
    const numbers = [...new Set([...spreadEvenly(count, LOOKED_AT), ...(count > 0 ? [0, count - 1] : [])])]
    const wrong = await Promise.all(
      numbers.map(async (number) => {
        const index = firstOf(located, split) + number
        const key = set.key(index)
        const info = await store.head(key)
        if (info === undefined) throw tooFew(store, split, count, await countAround(store, set, index), key)
        // Where sizes vary, what a file must have costs the draws of all before it.
        const { layout } = set.file(index)
        const size = set.uniform ? format.fileBytes(layout) : undefined
        return size === undefined || couldBe(format, layout, info.size) ? undefined : { key, size, found: info.size }
      }),
    )
    const [first] = wrong
    // One that is damaged is met when it is read, and then it is known what becomes of it.
    if (first !== undefined && wrong.every((each) => each !== undefined))
      throw new HeadraceError(
        'E_CORRUPT',
        `${store.url}/${first.key} has ${first.found} bytes, but what the config describes has ${first.size}`,
        { url: store.url, key: first.key, hint: 'was it generated with other settings? Generate it again' },
      )
  }
}

/** HDF5 of libhdf5 keeps the names of more data sets than these elsewhere, which makes it longer. */
const NAMED_IN_PLACE = 7

/** Whether a file of so many bytes may hold this, whoever of the DLIOs has written it. */
function couldBe(format: RecordFormat, layout: FileLayout, size: number): boolean {
  const expected = format.fileBytes(layout)
  if (expected === undefined || size === expected) return true
  const { options } = layout
  switch (format.name) {
    case 'npz': {
      const zip64 = options.zip64 === 'needed' ? 'always' : 'needed'
      return size === format.fileBytes({ ...layout, options: { ...options, zip64 } })
    }
    case 'hdf5':
      return (options.dataSets ?? 1) > NAMED_IN_PLACE
    case 'jpeg':
    case 'png':
      return true
    // Where several ranks write one file, DLIO's are longer than their records.
    case 'indexed_binary':
    case 'mmap_indexed_binary':
      return size > expected
    default:
      return false
  }
}

/** How many of the set's files there are, where not all are: by listing. */
async function countAround(store: Store, set: DataSet, index: number): Promise<number> {
  const { split } = set.file(index)
  let count = 0
  for await (const entry of store.list(`${split}/`))
    if (entry.kind === 'object' && set.indexOf(entry.key) !== undefined) count++
  return count
}
