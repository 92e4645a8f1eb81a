import { parentPort, workerData } from 'node:worker_threads'
import { ready } from 'h5wasm'
import { Blocks } from './blocks.ts'
import {
  type Answer,
  type DescribedDataSet,
  OUTCOME,
  type Question,
  READ,
  type ThreadData,
  TURN,
  WAITING,
  WINDOW,
  WORDS_BYTES,
} from './messages.ts'

/**
 * A thread with libhdf5, as WebAssembly. libhdf5 waits for the bytes that it reads, which come from wherever the asking
 * thread has them: so it waits here, and nobody else does.
 */

/** What is used of Emscripten's file system: a file whose reading is replaced. */
interface FileNode {
  usedBytes: number
  stream_ops: object
}

interface FileSystem {
  writeFile(path: string, data: Uint8Array): void
  lookupPath(path: string): { node: FileNode }
  unlink(path: string): void
}

const { shared } = workerData as ThreadData
const words = new Int32Array(shared, 0, WORDS_BYTES / 4)
const window = new Uint8Array(shared, WORDS_BYTES)

/** Bounds of the versions of what is written: none. */
const ANY_VERSION = -1

interface OpenFile {
  readonly handle: bigint
  readonly path: string
  readonly dataSets: readonly DescribedDataSet[]
}

function tell(answer: Answer, transfer: ArrayBuffer[] = []): void {
  parentPort?.postMessage(answer, transfer)
}

/** Waits for bytes of a file. */
function fetchFor(file: number): (offset: number, into: Uint8Array) => void {
  return (offset, into) => {
    for (let done = 0; done < into.length; done += WINDOW) {
      const length = Math.min(WINDOW, into.length - done)
      Atomics.store(words, TURN, WAITING)
      tell({ kind: 'needs', file, offset: offset + done, length })
      Atomics.wait(words, TURN, WAITING)
      if (Atomics.load(words, OUTCOME) !== READ) throw new Error('its bytes could not be read')
      into.set(window.subarray(0, length), done)
    }
  }
}

const library = await ready
library.activate_throwing_error_handler()
const files = library.FS as unknown as FileSystem
const open = new Map<number, OpenFile>()

function openFile(file: number, size: number): OpenFile {
  const path = `/${file}`
  const blocks = new Blocks(size, fetchFor(file))
  files.writeFile(path, new Uint8Array(0))
  const { node } = files.lookupPath(path)
  node.usedBytes = size
  node.stream_ops = {
    ...node.stream_ops,
    read: (_stream: object, heap: Int8Array, at: number, length: number, position: number) =>
      blocks.read(position, new Uint8Array(heap.buffer, heap.byteOffset + at, length)),
  }
  try {
    const handle = library.open(path, library.H5F_ACC_RDONLY, false, ANY_VERSION, ANY_VERSION)
    if (handle < 0n) throw new Error('it is no HDF5 file')
    const names = library.get_names(handle, '/', false)
    const opened = { handle, path, dataSets: names.flatMap((name) => describe(handle, name)) }
    open.set(file, opened)
    return opened
  } catch (error) {
    files.unlink(path)
    throw error
  }
}

function describe(handle: bigint, name: string): DescribedDataSet[] {
  if (library.get_type(handle, name) !== library.H5G_DATASET) return []
  const { shape, chunks, type, signed, size, enum_type } = library.get_dataset_metadata(handle, name)
  const filters = library.get_dataset_filters(handle, name).map((filter) => filter.name)
  const names = Object.keys(enum_type?.members ?? {})
  const chunk = chunks?.map(Number)
  return [{ name, shape: (shape ?? []).map(Number), chunk, type, signed, itemBytes: size, names, filters }]
}

function read({ file, dataSet, first, count }: Question & { readonly kind: 'read' }): ArrayBuffer {
  const { handle, dataSets } = open.get(file) as OpenFile
  const { shape, itemBytes } = dataSets.find(({ name }) => name === dataSet) as DescribedDataSet
  const counts = [count, ...shape.slice(1)]
  const bytes = counts.reduce((product, axis) => product * axis, itemBytes)
  if (bytes > library.MAXIMUM_MEMORY / 2) throw new Error(`${bytes} bytes are more than libhdf5 reads at once here`)
  const memory = library._malloc(bytes)
  if (memory === 0) throw new Error(`there is no memory for ${bytes} bytes`)
  try {
    const offsets = counts.map((_, axis) => BigInt(axis === 0 ? first : 0))
    const strides = counts.map(() => 1n)
    const status = library.get_dataset_data(handle, dataSet, counts.map(BigInt), offsets, strides, BigInt(memory))
    if (status < 0) throw new Error('libhdf5 could not read it')
    return library.HEAPU8.slice(memory, memory + bytes).buffer as ArrayBuffer
  } finally {
    library._free(memory)
  }
}

function answer(question: Question): void {
  if (question.kind === 'close') {
    const closed = open.get(question.file)
    if (closed === undefined) return
    open.delete(question.file)
    library.close_file(closed.handle)
    files.unlink(closed.path)
    return
  }
  const { id } = question
  try {
    if (question.kind === 'open') {
      const { dataSets } = openFile(question.file, question.size)
      tell({ kind: 'opened', id, dataSets })
    } else {
      const bytes = read(question)
      tell({ kind: 'read', id, bytes }, [bytes])
    }
  } catch (error) {
    tell({ kind: 'failed', id, reason: error instanceof Error ? error.message : String(error) })
  }
}

parentPort?.on('message', answer)
