import { createRequire } from 'node:module'
import { dirname } from 'node:path'
import { HeadraceError } from './errors.ts'
import type { MappedBytes } from './mapped.ts'

/** The typed surface of the addon, one to one. The only file that loads it. */

export type SimdLevel = 'scalar' | 'sse4' | 'avx2' | 'avx512' | 'neon'

export interface NativeInfo {
  /** The libjpeg-turbo that decodes, such as "2.1.5". */
  readonly libjpegTurbo: string
  readonly simd: SimdLevel
  readonly simdAvailable: readonly SimdLevel[]
}

/** Memory that the addon owns (a memfd where the system has them); the same memory is leased again and again. */
export interface SlotHandle {
  readonly __slot: unique symbol
}

/** Memory that slots are carved from, and that another process is handed whole. Sparse: what is not written takes none. */
export interface SlabHandle {
  readonly __slab: unique symbol
}

/** Why one row of a batch has no pixels. */
export interface NativeFault {
  readonly row: number
  readonly code: 'E_CORRUPT' | 'E_UNSUPPORTED' | 'E_LIMIT'
  readonly reason: string
  /** Bad whatever is made of it: found before a pixel was decoded. Otherwise another crop may miss the damage. */
  readonly lasting: boolean
}

/** Columns of `DecodeJob.boxes`, float64 each, one row a (sample, view): the plan of one picture as numbers. */
export const BOX_COLUMNS = 9
/*
 * 0..3 clip x, y, width, height: whole pixels; samples outside it do not exist for the filter
 * 4..7 box x, y, width, height: the source rectangle in pixel edges that becomes the output
 * 8    1 to mirror left and right
 */

/** What one view makes of every picture of a batch. */
export interface ViewSpec {
  /** Output pixels; both 0: the size of each picture's clip (ragged, packed one after the other). */
  readonly width: number
  readonly height: number
  readonly layout: 'NHWC' | 'NCHW'
  readonly dtype: 'uint8' | 'float16' | 'float32'
  /** value = float32(float32(pixel * scale) + bias) per channel; only for float dtypes. */
  readonly scale: readonly [number, number, number]
  readonly bias: readonly [number, number, number]
  /** Byte offset in the slot of each sample's pixels. */
  readonly offsets: Float64Array
}

/** Compressed pictures -> crop -> resize -> flip -> normalise -> layout, one call a batch. */
export interface DecodeJob {
  /** Where the compressed bytes are: a mapped file, or memory. */
  readonly source: MappedBytes | Uint8Array
  readonly sourceOffsets: Float64Array
  readonly sourceSizes: Float64Array
  /** Pixels that the picture's own header must agree with; of planes, which have none, their size. */
  readonly heights: Uint32Array
  readonly widths: Uint32Array
  readonly views: readonly ViewSpec[]
  /** samples x views rows of BOX_COLUMNS. */
  readonly boxes: Float64Array
  readonly slot: SlotHandle
  /** At most `threads` threads work at once on the jobs of one `group`. */
  readonly threads: number
  readonly group: number
  /**
   * jpeg: every sample is a JPEG; dct: packed coefficients or a JPEG, as each begins (docs/formats/dct.md); yuv420: planes
   * (docs/formats/cache.md), which have no `dct` and nothing to tolerate.
   */
  readonly encoding: 'jpeg' | 'dct' | 'yuv420'
  /** Frequencies of the compact form, 16 x 256; needed where samples have it. */
  readonly table: Uint16Array | undefined
  readonly dct: 'islow' | 'ifast'
  readonly fancyUpsampling: boolean
  /** Keep what libjpeg makes of damaged data. */
  readonly tolerant: boolean
  /** Pictures with more pixels are E_LIMIT. */
  readonly maxPixels: number
}

/** Stored bytes into rows of `stride` bytes; the rest of each row reads as zeros. */
export interface CopyJob {
  readonly source: MappedBytes | Uint8Array
  readonly sourceOffsets: Float64Array
  readonly sourceSizes: Float64Array
  readonly slot: SlotHandle
  /** Byte offset in the slot of row 0. */
  readonly offset: number
  readonly stride: number
  readonly threads: number
  readonly group: number
}

/** Samples into another form, on the pool. */
export interface ConvertJob {
  readonly samples: readonly Uint8Array[]
  /** Frequencies of the compact form, 16 x 256. */
  readonly table: Uint16Array | undefined
  readonly threads: number
  readonly group: number
  readonly maxPixels: number
}

/** A picture into planes of YUV 4:2:0, on the pool. */
export interface Yuv420Job {
  /** A JPEG, or RGB pixels where there is a size. */
  readonly bytes: Uint8Array
  /** Of pixels; both 0: a JPEG. */
  readonly width: number
  readonly height: number
  /** truncate: slipstream's bytes, always through RGB. nearest: a JPEG's own samples where they are those of the planes. */
  readonly rounding: 'nearest' | 'truncate'
  readonly threads: number
  readonly group: number
  readonly maxPixels: number
}

/** Y, U and V one after the other. Sides are even: the last column and row may be there twice. */
export interface Yuv420Picture {
  readonly bytes: Uint8Array
  readonly width: number
  readonly height: number
}

/** How a transfer by O_DIRECT is carried out. */
export interface DirectMethod {
  /** Bytes of one read or write; made a multiple of what the file wants. */
  readonly blockSize: number
  /** Blocks under way at once, 1..64. */
  readonly depth: number
  /** auto: a ring where several blocks are under way and the kernel offers one, else threads. */
  readonly engine: 'auto' | 'threads' | 'io_uring'
  /** At most `threads` threads work at once on the transfers of one `group`. */
  readonly threads: number
  readonly group: number
  /** One number; the transfer ends with ECANCELED once it is not 0. */
  readonly cancel: Uint32Array
}

/** Columns of `DirectRead.numbers`. */
export const DIRECT_READ = { regular: 0, inode: 1, size: 2, modified: 3, length: 4, read: 5, ring: 6 } as const

/** A range of a file, opened for it and closed again. */
export interface DirectRead extends DirectMethod {
  readonly path: string
  /** Absent: memory of the addon's, for at most `limit` bytes. */
  readonly into: Uint8Array | undefined
  readonly offset: number
  /** Cut at the end of the file. */
  readonly length: number
  readonly limit: number
  /**
   * What was found, as DIRECT_READ says; `modified` in milliseconds since 1970, `length` after the cut. Nothing is read
   * where the file is not a regular one, the range starts past its end, or there is no room for `length` bytes.
   */
  readonly numbers: Float64Array
}

export interface DirectAlignment {
  /** Bytes that offsets and lengths in the file are multiples of. */
  readonly offsetAlignment: number
  /** Bytes that addresses are multiples of; other memory costs a copy. */
  readonly memoryAlignment: number
}

/** Bytes to a descriptor that `beginDirect` was called for. */
export interface DirectWrite extends DirectMethod, DirectAlignment {
  readonly fd: number
  /** Where their number is no multiple of the alignment, the rest goes through the page cache, and ends direct writing. */
  readonly bytes: Uint8Array
  /** A multiple of the alignment. */
  readonly offset: number
  /** Bytes that the file will have, to reserve its blocks; 0: not known. */
  readonly reserve: number
}

/** Columns of the numbers of `readCached`. */
export const CACHED_READ = { inode: 0, size: 1, modified: 2 } as const

/** Columns of the numbers that describe random content; what they are stands in native/src/random_content.h. */
export const RANDOM_CONTENT = {
  seed: 0,
  file: 1,
  type: 2,
  block: 3,
  period: 4,
  random: 5,
  unique: 6,
  first: 7,
  recordBlocks: 8,
} as const

/** Its column `type`. */
export const RANDOM_TYPE = { bits: 0, flags: 1, float16: 2, bfloat16: 3, float32: 4, float64: 5 } as const

/** Why a sample has no other form. */
export type Refusal = Pick<NativeFault, 'code' | 'reason'>

/** Grey pixels, and the quality of the JPEG that they become. */
export interface GreyPixels {
  /** `width` x `height`. */
  readonly pixels: Uint8Array
  readonly width: number
  readonly height: number
  /** 1 to 100. */
  readonly quality: number
}

export interface GreyJob extends GreyPixels {
  readonly threads: number
  readonly group: number
}

interface Addon {
  info(): NativeInfo
  mapFile(path: string): MappedBytes
  unmapFile(map: MappedBytes): void
  /** Drops the file's clean pages from the page cache, as far as the file system does. */
  dropPages(map: MappedBytes): void
  /** The share of the file's pages that are in memory, 0..1 (mincore). */
  residentShare(map: MappedBytes): number
  /** Fills `out` with the bytes from `offset` on. EIO where the file cannot be read there. */
  readMapped(map: MappedBytes, offset: number, out: Uint8Array): void
  /** CRC-32C (Castagnoli) of data, continuing from `initial`. */
  crc32c(data: Uint8Array, initial?: number): number
  /** CRC-32 (zip's and gzip's) of data, continuing from `initial`. */
  crc32(data: Uint8Array, initial?: number): number
  /** CRC-64/NVME of data, continuing from `initial`. */
  crc64nvme(data: Uint8Array, initial?: bigint): bigint
  /** CRC-32C of many ranges of a mapped file, on the pool. Rejects where the file cannot be read. */
  crc32cMapped(map: MappedBytes, offsets: Float64Array, sizes: Float64Array, threads: number): Promise<Uint32Array>
  /** Takes an exclusive lock that ends with the process; false if another holds it. */
  tryLock(fd: number): boolean
  createSlot(bytes: number): SlotHandle
  /** Makes a slot at least `bytes` large; its contents are lost. Not while leased or in use. */
  growSlot(slot: SlotHandle, bytes: number): void
  slotBytes(slot: SlotHandle): number
  /** Gives the memory back to the system once nothing uses it. */
  destroySlot(slot: SlotHandle): void
  /** A memfd, sealed, where the system has them. Throws a system error's code where it is refused. */
  createSlab(bytes: number): SlabHandle
  /** What slots give back stays as it is from now on, until it is carved again. */
  keepPages(slab: SlabHandle): void
  /** The memory goes once no slot and no other process has it. */
  destroySlab(slab: SlabHandle): void
  /** A slot in a slab, zeroed, which grows there too; undefined where no run of free bytes is that long. */
  carveSlot(slab: SlabHandle, bytes: number): SlotHandle | undefined
  /** Where in the slab the memory of a view lies; 0 for an empty one. Throws where it lies elsewhere. */
  slabOffset(slab: SlabHandle, view: ArrayBufferView): number
  /** Sends bytes with the slab's descriptor over a Unix socket; how many of them went. Throws a system error's code. */
  sendSlab(socket: number, slab: SlabHandle, bytes: Uint8Array): number
  /** The user id of the process at the other end of a Unix socket, when it connected. */
  peerUser(socket: number): number
  /** The slot's first `bytes` bytes as an ArrayBuffer, until `detach`. */
  leaseSlot(slot: SlotHandle, bytes: number): ArrayBuffer
  /** A number by which every thread of the process may lease the slot's memory as it is now, until `unshareSlot`. */
  shareSlot(slot: SlotHandle): number
  /**
   * A shared slot's memory from `offset` (0) on, `bytes` or the rest, which stays valid until `detach` whatever becomes of
   * the slot and its number.
   */
  leaseShared(number: number, offset?: number, bytes?: number): ArrayBuffer
  unshareSlot(number: number): void
  /** Numbers that are in use in the process. */
  sharedSlots(): number
  /** The same, in several ArrayBuffers: from each of `starts` (ascending, the first 0) to the next. */
  leaseSlotParts(slot: SlotHandle, bytes: number, starts: readonly number[]): ArrayBuffer[]
  /** Takes an ArrayBuffer's memory away: its length and that of every view becomes 0. */
  detach(buffer: ArrayBuffer): void
  decodeImages(job: DecodeJob): Promise<readonly NativeFault[]>
  /** JPEGs as packed coefficients, in the compact form where there is a table. E_UNSUPPORTED: it stays a JPEG. */
  packJpegs(job: ConvertJob): Promise<readonly (Uint8Array | Refusal)[]>
  /** Packed coefficients as JPEGs with the same coefficients and tables. */
  unpackJpegs(job: ConvertJob): Promise<readonly (Uint8Array | Refusal)[]>
  /** A picture as planes. E_CORRUPT, E_UNSUPPORTED or E_LIMIT where it cannot be decoded. */
  toYuv420(job: Yuv420Job): Promise<Yuv420Picture | Refusal>
  /** A baseline JPEG with the standard's tables. Rejects with E_LIMIT where libjpeg has no memory for it. */
  greyToJpeg(job: GreyJob): Promise<Uint8Array>
  /** The same on this thread, into memory of 64 KiB or more: bytes that it takes; 0 where that is too little. */
  greyToJpegInto(job: GreyPixels, into: Uint8Array): number
  /** Adds how often each symbol comes in each context of a plain packed picture to `counts`, 16 x 256. */
  addSymbolCounts(packed: Uint8Array, counts: Float64Array): void
  /** The table of frequencies for such counts: 16 x 256, each at least 1, each row summing to 1024. */
  ransFrequencies(counts: Float64Array): Uint16Array
  copyRows(job: CopyJob): Promise<readonly NativeFault[]>
  /** Reads around the page cache. The bytes where the memory is the addon's. Rejects with a system error's code. */
  readDirect(job: DirectRead): Promise<Uint8Array | undefined>
  /** Writes around the page cache; whether a ring did it. Rejects with a system error's code. */
  writeDirect(job: DirectWrite): Promise<boolean>
  /** Makes reads and writes of a descriptor go around the page cache. EINVAL where its file system refuses. */
  beginDirect(fd: number): DirectAlignment
  /** Zeroed memory that begins at a page, as every alignment of O_DIRECT wants it. */
  alignedMemory(bytes: number): ArrayBuffer
  /** Bytes of page-aligned memory in use and kept for later. */
  slabBytes(): number
  /** Gives memory and rings that are kept for later transfers back to the system. */
  trimDirect(): void
  /** Whether the kernel offers io_uring to this process. */
  ioUring(): boolean
  /**
   * Reads a range, cut at the end of the file, if it takes no waiting. The count, or the bytes where there is no `into`;
   * -1 where nothing was read: they are more than `limit`, or do not fit, or are not in the page cache, or there is
   * anything else to say. `keep`: the file stays open for the thread's next read of the same path, which then only looks
   * whether it still is the file of that path; until `closeCached`. `numbers`: CACHED_READ.
   */
  readCached(
    path: string,
    into: Uint8Array | undefined,
    offset: number,
    length: number,
    limit: number,
    keep: boolean,
    numbers: Float64Array,
  ): number | Uint8Array
  closeCached(): void
  /** Tells the system how a descriptor will be read. */
  advise(fd: number, advice: 'sequential' | 'random'): void
  /** Drops the clean pages of a range from the page cache. Length 0: to the end. */
  dropFilePages(fd: number, offset: number, length: number): Promise<void>
  /** Fills with the bytes of a record from `offset` on. `content`: the numbers of RANDOM_CONTENT. */
  fillRandom(bytes: Uint8Array, content: Float64Array, record: number, offset: number): void
  /** Where bytes first differ from those; -1 where they do not. */
  randomDifference(bytes: Uint8Array, content: Float64Array, record: number, offset: number): number
  /**
   * Item (row, column) of `from`, whose rows are `fromStride` items apart, to place (column, row) of `to`, whose rows are
   * `toStride` items apart. The two may not overlap.
   */
  transposeItems(
    from: Uint8Array,
    fromStride: number,
    to: Uint8Array,
    toStride: number,
    rows: number,
    columns: number,
    itemBytes: number,
  ): void
  /** Ends the process at once, without waiting for threads that a system call holds; nothing is cleaned up. */
  exitNow(code: number): never
  /** Milliseconds on the clock of `process.hrtime`, which is the same for all threads. */
  monotonic(): number
  /**
   * Blocks its thread until that time, to within some microseconds: sleeps until 200 us before, then spins. Ends early,
   * within 20 ms, once `stop[0]` is not 0. Returns the time at its end.
   */
  waitUntil(time: number, stop: Uint32Array): number
  /** Scratch memory that the pool's threads hold now, in bytes. */
  scratchBytes(): number
}

function load(): Addon {
  const require = createRequire(import.meta.url)
  try {
    const root = dirname(require.resolve('headrace/package.json'))
    const find = require('node-gyp-build') as (folder: string) => Addon
    const addon = find(root)
    addon.info()
    return addon
  } catch (cause) {
    const [reason = ''] = (cause as Error).message.split('\n')
    if (reason.startsWith('HEADRACE_SIMD'))
      throw new HeadraceError('E_CONFIG', reason, {
        cause,
        hint: 'leave HEADRACE_SIMD unset: the best instruction set is chosen then',
      })
    throw new HeadraceError('E_UNSUPPORTED', `the native addon does not load: ${reason}`, {
      cause,
      hint: 'build it with `npm rebuild headrace` (in a clone: `make build`)',
    })
  }
}

let addon: Addon | undefined

/** Loaded when it is first used, so that help, versions and types need no addon. */
export const native: Addon = new Proxy({} as Addon, {
  get(_, name: keyof Addon) {
    addon ??= load()
    return addon[name]
  },
})
