import { spawn } from 'node:child_process'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { canPin } from '../vision/command.ts'
import { cli } from '../vision/places.ts'
import type { CServer } from './c-server.ts'
import { CLIENT_CORE } from './cores.ts'

/** One object that is larger than memory should ever be, through the command line, with its default options. */
export interface Streamed {
  readonly direction: 'upload' | 'download'
  readonly bytes: number
  readonly seconds: number
  /** User and system time of the process. */
  readonly cpuSeconds: number
  /** Bytes. */
  readonly peakRss: number
}

/** Reports what the process used at its end, on descriptor 3. */
const WITNESS = `data:text/javascript,${encodeURIComponent(
  "import { writeSync } from 'node:fs'; process.on('exit', () => writeSync(3, JSON.stringify(process.resourceUsage())))",
)}`

interface Used {
  readonly userCPUTime: number
  readonly systemCPUTime: number
  /** KiB. */
  readonly maxRSS: number
}

function* zeros(bytes: number): Generator<Uint8Array> {
  const chunk = new Uint8Array(2 ** 20)
  for (let left = bytes; left > 0; left -= chunk.length) yield left < chunk.length ? chunk.subarray(0, left) : chunk
}

async function stream(direction: Streamed['direction'], bytes: number, { port }: CServer): Promise<Streamed> {
  const url = `s3://${bytes}/object?endpoint=http://127.0.0.1:${port}`
  const verb = direction === 'upload' ? ['cp', '-', url] : ['cat', url]
  const command = [process.execPath, '--import', WITNESS, cli, ...verb]
  const [program = '', ...args] = canPin ? ['taskset', '-c', CLIENT_CORE, ...command] : command
  const start = performance.now()
  const child = spawn(program, args, {
    env: { ...process.env, AWS_ACCESS_KEY_ID: 'benchkey', AWS_SECRET_ACCESS_KEY: 'benchsecret' },
    stdio: ['pipe', 'pipe', 'inherit', 'pipe'],
  })
  let said = ''
  let arrived = 0
  const { stdin, stdout } = child
  const [, , , witness] = child.stdio
  if (stdin === null || stdout === null || !(witness instanceof Readable)) throw new Error('there are no pipes')
  witness.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  stdout.on('data', (chunk: Uint8Array) => {
    arrived += chunk.length
  })
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
  if (direction === 'upload') await pipeline(Readable.from(zeros(bytes)), stdin).catch(() => undefined)
  else stdin.end()
  const code = await ended
  if (code !== 0) throw new Error(`headrace ${verb.join(' ')} ended with ${code}`)
  if (direction === 'download' && arrived !== bytes) throw new Error(`${arrived} bytes came instead of ${bytes}`)
  const { userCPUTime, systemCPUTime, maxRSS } = JSON.parse(said) as Used
  return {
    direction,
    bytes,
    seconds: (performance.now() - start) / 1000,
    cpuSeconds: (userCPUTime + systemCPUTime) / 1e6,
    peakRss: maxRSS * 1024,
  }
}

/** Against server.c, which keeps nothing: neither memory nor a disk bounds what goes through. */
export async function measureStreams(bytes: number, server: CServer): Promise<readonly Streamed[]> {
  return [await stream('upload', bytes, server), await stream('download', bytes, server)]
}
