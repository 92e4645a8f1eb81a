import { readFileSync } from 'node:fs'
import { arch, availableParallelism, cpus, loadavg, platform, release, totalmem } from 'node:os'
import { join } from 'node:path'
import { canPin, run } from './command.ts'
import { cli, root } from './places.ts'

export interface Host {
  readonly processor: string
  readonly cores: number
  readonly memoryBytes: number
  readonly system: string
  readonly node: string
  readonly headrace: string
  /** False where tools cannot be kept on one core. */
  readonly pinned: boolean
  /** One-minute load before the first measurement: above about 0.5 somebody else was at work. */
  readonly loadBefore: number
  readonly date: string
}

export interface Machine extends Host {
  readonly libjpegTurbo: string
  readonly simd: string
  readonly compiler: string
}

export function describeHost(): Host {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { readonly version: string }
  return {
    processor: cpus()[0]?.model.trim() ?? arch(),
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    system: `${platform()} ${release()} ${arch()}`,
    node: process.version,
    headrace: version,
    pinned: canPin,
    loadBefore: loadavg()[0] ?? 0,
    date: new Date().toISOString().slice(0, 10),
  }
}

export async function describeMachine(cache: string): Promise<Machine> {
  const info = JSON.parse(await run([process.execPath, cli, 'cache', 'info', cache, '--json'])) as {
    readonly libjpegTurbo: string
    readonly simd: string
  }
  const [compiler = ''] = (await run([process.env.CXX ?? 'c++', '--version'])).split('\n')
  return { ...describeHost(), libjpegTurbo: info.libjpegTurbo, simd: info.simd, compiler }
}
