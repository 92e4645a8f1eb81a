import { closeSync, fsyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openStore } from 'headrace'
import { median } from '../vision/statistics.ts'
import { type FioRun, fio, fioVersion, type Transfer } from './fio.ts'
import { randomReads } from './random-reads.ts'
import { headrace, timed } from './transfers.ts'

/**
 * direct:// against fio (O_DIRECT, same blocks, jobs and depth, in turn), and file:// from the page cache. One thread a
 * job. `--quick` for a short run, `--json` for one JSON document; $HEADRACE_BENCH_DISK names the folder (up to 3 GiB).
 */

const quick = process.argv.includes('--quick')
const json = process.argv.includes('--json')
/** Short rounds and many: others use the same disk. */
const BYTES = 128 * 2 ** 20
const ROUNDS = quick ? 1 : 9
const KIB = 1024

/** What `--json` prints. */
export interface Local {
  /** Its version; null where it is not installed. */
  readonly fio: string | null
  readonly compared: readonly Compared[]
  readonly warm: readonly Warm[]
}

export interface Compared {
  readonly op: 'read' | 'write'
  readonly blockSize: number
  readonly engine: FioRun['engine']
  readonly depth: number
  readonly jobs: number
  readonly bytesPerSecond: number
  readonly fioBytesPerSecond: number
  readonly cpuMicrosecondsPerBlock: number
  readonly fioCpuMicrosecondsPerBlock: number
  /** Ours over fio's, of the median round of each. */
  readonly throughput: number
  readonly cpu: number
}

export interface Warm {
  readonly what: string
  /** Bytes of one read. */
  readonly size: number
  readonly threads: number
  readonly readsPerSecond: number
  readonly cpuMicrosecondsEach: number
}

const folder = mkdtempSync(join(process.env.HEADRACE_BENCH_DISK ?? tmpdir(), 'headrace-local-'))
const say = (line: string) => {
  if (!json) console.log(line)
}
const typical = (transfers: readonly Transfer[]) => ({
  rate: median(transfers.map(({ bytes, seconds }) => bytes / seconds)),
  cpu: median(transfers.map(({ bytes, cpuSeconds }) => cpuSeconds / bytes)),
})

function fill(path: string, bytes: number): void {
  const block = new Uint8Array(2 ** 20)
  const fd = openSync(path, 'w')
  for (let at = 0; at < bytes; at += block.length) writeSync(fd, block.fill(at / block.length), 0, block.length, at)
  fsyncSync(fd)
  closeSync(fd)
}

async function compare(run: FioRun): Promise<Compared> {
  const rounds: { readonly ours: Transfer; readonly fio: Transfer }[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const theirs = () => {
      const result = fio(run)
      // Ours are new files each time; so are fio's.
      if (run.write) rmSync(run.path)
      return result
    }
    const own = () => headrace(folder, run.write ? 'written' : 'k', run)
    if (round % 2 === 0) rounds.push({ fio: theirs(), ours: await own() })
    else {
      const ours = await own()
      rounds.push({ ours, fio: theirs() })
    }
  }
  const per = run.blockSize * 1e6
  const ours = typical(rounds.map((round) => round.ours))
  const peer = typical(rounds.map((round) => round.fio))
  return {
    op: run.write ? 'write' : 'read',
    blockSize: run.blockSize,
    engine: run.engine,
    depth: run.depth,
    jobs: run.jobs,
    bytesPerSecond: ours.rate,
    fioBytesPerSecond: peer.rate,
    cpuMicrosecondsPerBlock: ours.cpu * per,
    fioCpuMicrosecondsPerBlock: peer.cpu * per,
    throughput: ours.rate / peer.rate,
    cpu: ours.cpu / peer.cpu,
  }
}

/** Whole objects of 128 KiB that the page cache holds, one after the other. */
async function warmObjects(into: Uint8Array | undefined): Promise<Warm> {
  const store = await openStore(folder)
  const objects = 200
  for (let i = 0; i < objects; i++) await store.put(`o/${i}`, new Uint8Array(128 * KIB).fill(i))
  const reads = quick ? 5_000 : 20_000
  const read = async (count: number) => {
    for (let i = 0; i < count; i++) {
      const body = await store.get(`o/${i % objects}`, into && { into })
      if (body?.data.length !== 128 * KIB) throw new Error('a short read')
    }
  }
  await read(1000)
  const { seconds, cpuSeconds } = await timed(0, () => read(reads))
  await store.close()
  return {
    what: `file:// warm 128 KiB objects, ${into ? 'into memory of the caller' : 'into new memory'}`,
    size: 128 * KIB,
    threads: 1,
    readsPerSecond: reads / seconds,
    cpuMicrosecondsEach: (cpuSeconds / reads) * 1e6,
  }
}

const version = fioVersion()
const compared: Compared[] = []
const warm: Warm[] = []
try {
  fill(join(folder, 'k'), 2 * BYTES)
  say(
    `direct:// against ${version ?? 'fio, which is not installed'}; ratios are ours over fio's, median of ${ROUNDS} rounds`,
  )
  const ways = [
    { engine: 'psync', depth: 1, jobs: 1 },
    { engine: 'psync', depth: 1, jobs: 2 },
    { engine: 'io_uring', depth: 4, jobs: 1 },
  ] as const
  for (const way of version === undefined ? [] : ways)
    for (const blockSize of [128 * KIB, 1024 * KIB, 4096 * KIB])
      for (const write of [false, true]) {
        const path = join(folder, write ? 'fio' : 'k')
        const result = await compare({ path, write, blockSize, bytes: BYTES, ...way })
        compared.push(result)
        say(
          `${result.op.padEnd(5)} ${String(blockSize / KIB).padStart(4)} KiB ${way.engine} depth ${way.depth} jobs ${way.jobs}: ` +
            `${(result.bytesPerSecond / 1e9).toFixed(2)} GB/s (fio ${(result.fioBytesPerSecond / 1e9).toFixed(2)}), ` +
            `${result.cpuMicrosecondsPerBlock.toFixed(1)} us CPU a block (fio ${result.fioCpuMicrosecondsPerBlock.toFixed(1)}); ` +
            `throughput x${result.throughput.toFixed(2)}, CPU x${result.cpu.toFixed(2)}`,
        )
      }
  warm.push(await warmObjects(new Uint8Array(128 * KIB)), await warmObjects(undefined))
  const blocks = (64 * 2 ** 20) / 4096
  fill(join(folder, 'random'), blocks * 4096)
  for (const threads of [1, 2]) {
    const result = await randomReads({ folder, key: 'random', blocks, seconds: quick ? 1 : 3 }, threads)
    warm.push({
      what: `file:// warm 4 KiB reads at random places, ${threads} thread${threads > 1 ? 's' : ''}`,
      size: 4 * KIB,
      threads,
      ...result,
    })
  }
  for (const each of warm)
    say(
      `${each.what}: ${Math.round(each.readsPerSecond).toLocaleString('en')} a second, ${each.cpuMicrosecondsEach.toFixed(1)} us CPU each`,
    )
  if (json) console.log(JSON.stringify({ fio: version ?? null, compared, warm } satisfies Local))
} finally {
  rmSync(folder, { recursive: true, force: true })
}
