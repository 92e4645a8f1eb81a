import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { HeadraceError, throwIfAborted } from '../errors.ts'
import { failureOf } from '../storage/threads/failure.ts'
import type { ThreadAnswer, ThreadData } from './thread.ts'

/** Also from the sources, which tests run: threads run compiled code. */
function script(): string {
  const { resolve } = createRequire(import.meta.url)
  return join(dirname(resolve('headrace/package.json')), 'dist', 'generate', 'thread.js')
}

/** One thread from its start to its end. */
class Member {
  readonly ended: Promise<void>
  readonly #worker: Worker

  constructor(data: ThreadData) {
    this.#worker = new Worker(script(), { workerData: data })
    this.ended = new Promise((resolve, reject) => {
      this.#worker.on('message', ({ failure }: ThreadAnswer) => {
        if (failure === undefined) resolve()
        else reject(failureOf(failure))
      })
      this.#worker.on('error', reject)
      this.#worker.on('exit', (code) =>
        reject(new HeadraceError('E_STATE', `a thread that generates ended with ${code} before its work`)),
      )
    })
  }

  stop(): void {
    this.#worker.postMessage('stop')
  }

  async end(): Promise<void> {
    await this.#worker.terminate()
  }
}

/** Runs so many threads to their end. The first failure, or the signal, stops all; what they began is dropped by them. */
export async function runThreads(threads: number, data: ThreadData, signal: AbortSignal): Promise<void> {
  throwIfAborted(signal, 'generating')
  const members = Array.from({ length: threads }, () => new Member(data))
  const stop = () => {
    for (const member of members) member.stop()
  }
  signal.addEventListener('abort', stop, { once: true })
  let first: { readonly error: unknown } | undefined
  try {
    await Promise.all(
      members.map(({ ended }) =>
        ended.catch((error: unknown) => {
          first ??= { error }
          stop()
        }),
      ),
    )
  } finally {
    signal.removeEventListener('abort', stop)
    await Promise.all(members.map((member) => member.end()))
  }
  throwIfAborted(signal, 'generating')
  if (first !== undefined) throw first.error
}
