import { spawnSync } from 'node:child_process'

/** fio's own figures of one run: the measure for whatever reads and writes around the page cache. */

export interface Transfer {
  readonly seconds: number
  /** User and system time. */
  readonly cpuSeconds: number
  readonly bytes: number
}

export interface FioRun {
  readonly path: string
  readonly write: boolean
  readonly blockSize: number
  readonly engine: 'psync' | 'io_uring'
  readonly depth: number
  readonly jobs: number
  /** Of each job. */
  readonly bytes: number
}

interface FioDirection {
  readonly io_bytes: number
  readonly runtime: number
}

interface FioJob {
  readonly read: FioDirection
  readonly write: FioDirection
  readonly usr_cpu: number
  readonly sys_cpu: number
  readonly job_runtime: number
}

export function fioVersion(): string | undefined {
  const { status, stdout } = spawnSync('fio', ['--version'], { encoding: 'utf8' })
  return status === 0 ? stdout.trim() : undefined
}

/** Each job reads or writes a part of one file, one block after the other. */
export function fio({ path, write, blockSize, engine, depth, jobs, bytes }: FioRun): Transfer {
  const { status, stdout, stderr } = spawnSync(
    'fio',
    [
      '--name=headrace',
      `--filename=${path}`,
      `--rw=${write ? 'write' : 'read'}`,
      `--bs=${blockSize}`,
      '--direct=1',
      `--ioengine=${engine}`,
      `--iodepth=${depth}`,
      `--numjobs=${jobs}`,
      `--size=${bytes}`,
      `--offset_increment=${bytes}`,
      '--thread',
      '--group_reporting',
      '--output-format=json',
    ],
    { encoding: 'utf8' },
  )
  if (status !== 0) throw new Error(`fio ended with ${status}: ${stderr.trim()}`)
  const [job] = (JSON.parse(stdout.slice(stdout.indexOf('{'))) as { readonly jobs: readonly FioJob[] }).jobs
  if (job === undefined) throw new Error('fio reports no job')
  const direction = write ? job.write : job.read
  return {
    seconds: direction.runtime / 1000,
    // Shares of the jobs' run times, which are added up.
    cpuSeconds: ((job.usr_cpu + job.sys_cpu) / 100) * (job.job_runtime / 1000),
    bytes: direction.io_bytes,
  }
}
