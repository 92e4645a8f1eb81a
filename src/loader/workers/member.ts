import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { type EventLoopUtilization, performance } from 'node:perf_hooks'
import { Worker } from 'node:worker_threads'
import { HeadraceError } from '../../errors.ts'
import { failureData } from '../../storage/threads/failure.ts'
import type { FromThread, PlaceRequest, ReadRequest, ThreadData, ToThread } from './messages.ts'

/** ms that a thread has for closing its dataset. */
const GRACE = 5_000

/** Also from the sources, which tests run: threads run compiled code. */
function script(): string {
  const { resolve } = createRequire(import.meta.url)
  return join(dirname(resolve('headrace/package.json')), 'dist', 'loader', 'workers', 'thread.js')
}

/** This process's, but for what says how to read the program's text: a thread's is a file. */
function threadArguments(): string[] {
  return process.execArgv.filter((argument) => !argument.startsWith('--input-type'))
}

/** What a request is, without its number. */
export type Request = { readonly read: ReadRequest } | { readonly place: PlaceRequest }

interface Waiting {
  readonly resolve: (answer: FromThread) => void
  readonly reject: (error: unknown) => void
  readonly samples: number
}

export interface WorkerReport {
  /** Counts the threads of a loader from 1 on. */
  readonly id: number
  /** The system's name for it, as `worker_threads.threadId` says. */
  readonly thread: number
  /** Samples that it has read. */
  readonly samples: number
}

/** One worker thread, which has the dataset opened for itself. */
export class WorkerMember {
  readonly id: number
  readonly #thread: number
  readonly #worker: Worker
  readonly #waiting = new Map<number, Waiting>()
  readonly #exited: Promise<void>
  #last = 0
  #samples = 0
  #failure: Error | undefined
  #closing: Promise<void> | undefined
  #load: EventLoopUtilization

  constructor(id: number, data: ThreadData) {
    this.id = id
    this.#worker = new Worker(script(), {
      workerData: data,
      name: `headrace loader ${id}`,
      execArgv: threadArguments(),
    })
    this.#thread = this.#worker.threadId
    this.#load = this.#worker.performance.eventLoopUtilization()
    this.#worker.unref()
    this.#worker.on('message', (answer: FromThread) => this.#settle(answer.id)?.resolve(answer))
    this.#worker.on('messageerror', (error) => {
      this.#failure ??= error
      void this.#worker.terminate()
    })
    this.#worker.on('error', (error) => {
      this.#failure ??= error instanceof Error ? error : new Error(String(error))
    })
    this.#exited = new Promise((resolve) => {
      this.#worker.on('exit', (code) => {
        this.#ended(code)
        resolve()
      })
    })
  }

  /** Whether it takes no more requests. */
  get gone(): boolean {
    return this.#failure !== undefined || this.#closing !== undefined
  }

  report(): WorkerReport {
    return { id: this.id, thread: this.#thread, samples: this.#samples }
  }

  /** The share of the time since it was asked last in which the thread was busy, 0..1. */
  busy(): number {
    const now = this.#worker.performance.eventLoopUtilization()
    const { utilization } = performance.eventLoopUtilization(now, this.#load)
    this.#load = now
    return utilization
  }

  set inflight(inflight: number) {
    this.#worker.postMessage({ inflight } satisfies ToThread)
  }

  /** `stop`: ends the request, whose answer comes all the same. */
  ask(request: Request, { signal }: AbortController): Promise<FromThread> {
    return new Promise((resolve, reject) => {
      if (this.gone) throw this.#gone()
      const id = ++this.#last
      const cancel = () =>
        this.#worker.postMessage({ cancel: id, reason: failureData(signal.reason) } satisfies ToThread)
      const done = () => signal.removeEventListener('abort', cancel)
      const { ids } = 'read' in request ? request.read : request.place
      if (this.#waiting.size === 0) this.#worker.ref()
      this.#waiting.set(id, {
        samples: ids.length,
        resolve: (answer) => {
          done()
          resolve(answer)
        },
        reject: (error) => {
          done()
          reject(error)
        },
      })
      this.#worker.postMessage({ id, ...request } satisfies ToThread)
      if (signal.aborted) cancel()
      else signal.addEventListener('abort', cancel, { once: true })
    })
  }

  /** Lets what is under way end, closes the dataset and ends the thread. */
  close(): Promise<void> {
    this.#closing ??= this.#end()
    return this.#closing
  }

  async #end(): Promise<void> {
    this.#worker.postMessage('close' satisfies ToThread)
    const late = setTimeout(() => void this.#worker.terminate(), GRACE)
    late.unref()
    await this.#exited
    clearTimeout(late)
  }

  #settle(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id)
    if (waiting === undefined) return undefined
    this.#waiting.delete(id)
    this.#samples += waiting.samples
    if (this.#waiting.size === 0) this.#worker.unref()
    return waiting
  }

  #ended(code: number): void {
    this.#failure ??= new Error(`it ended with ${code}`)
    for (const id of [...this.#waiting.keys()]) this.#settle(id)?.reject(this.#gone())
  }

  #gone(): HeadraceError {
    if (this.#closing !== undefined) return new HeadraceError('E_STATE', `worker ${this.id} of the loader is closed`)
    const cause = this.#failure
    return new HeadraceError('E_SERVER', `worker ${this.id} of the loader has died: ${cause?.message}`, { cause })
  }
}
