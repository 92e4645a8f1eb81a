import { Worker } from 'node:worker_threads'
import { HeadraceError } from '../../errors.ts'
import { OpLogWriter } from '../../storage/oplog/writer.ts'
import type { Store } from '../../storage/types.ts'
import { Loop, type LoopResult } from './loop.ts'
import type { LoopPlan } from './types.ts'
import type { WorkerAnswer, WorkerCommand, WorkerData } from './worker.ts'

/** The loops of all threads as one. */
export interface Crew {
  run(seconds: number, logged: boolean): Promise<readonly LoopResult[]>
  /** Cancels the run that is under way. */
  stop(): void
  /** What was logged is kept once this resolves. */
  close(): Promise<void>
}

/** In the thread that calls, on its store. */
async function single(store: Store, plan: LoopPlan, opLog: string | undefined): Promise<Crew> {
  const sink = opLog === undefined ? undefined : await OpLogWriter.open(opLog)
  const loop = new Loop(store, plan, sink)
  return {
    run: async (seconds, logged) => [await loop.run(seconds, logged)],
    stop: () => loop.stop(),
    close: async () => sink?.close(),
  }
}

/** A thread and the answers that are waited for. */
class Member {
  readonly #worker: Worker
  #waiting: { resolve: (answer: WorkerAnswer) => void; reject: (error: unknown) => void } | undefined
  #failure: unknown

  constructor(data: WorkerData) {
    this.#worker = new Worker(new URL('./worker.js', import.meta.url), { workerData: data })
    this.#worker.on('message', (answer: WorkerAnswer) => {
      if (answer.kind === 'failed')
        this.#fail(
          new HeadraceError(answer.code, answer.message, answer.hint === undefined ? {} : { hint: answer.hint }),
        )
      else this.#take()?.resolve(answer)
    })
    this.#worker.on('error', (error) => this.#fail(error))
    this.#worker.on('exit', (code) =>
      this.#fail(new HeadraceError('E_STATE', `a worker thread ended with ${code} before its work`)),
    )
  }

  /** One at a time. */
  ask(command?: WorkerCommand): Promise<WorkerAnswer> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) {
        reject(this.#failure)
        return
      }
      this.#waiting = { resolve, reject }
      if (command !== undefined) this.#worker.postMessage(command)
    })
  }

  tell(command: WorkerCommand): void {
    this.#worker.postMessage(command)
  }

  async end(): Promise<void> {
    await this.#worker.terminate()
  }

  #take() {
    const waiting = this.#waiting
    this.#waiting = undefined
    return waiting
  }

  #fail(error: unknown): void {
    this.#failure ??= error
    this.#take()?.reject(error)
  }
}

async function threads(store: Store, plans: readonly LoopPlan[], opLog: string | undefined): Promise<Crew> {
  if (opLog !== undefined) await (await OpLogWriter.open(opLog)).close()
  const members = plans.map((plan) => new Member({ spec: store.spec, plan, opLog }))
  const end = () => Promise.all(members.map((member) => member.end()))
  try {
    await Promise.all(members.map((member) => member.ask()))
  } catch (error) {
    await end()
    throw error
  }
  return {
    run: async (seconds, logged) => {
      const answers = await Promise.all(members.map((member) => member.ask({ do: 'run', seconds, logged })))
      return answers.flatMap((answer) => (answer.kind === 'result' ? [answer.result] : []))
    },
    stop: () => {
      for (const member of members) member.tell({ do: 'stop' })
    },
    close: async () => {
      try {
        await Promise.all(members.map((member) => member.ask({ do: 'close' })))
      } finally {
        await end()
      }
    },
  }
}

/** One plan: this thread; several: a thread each. */
export function assembleCrew(store: Store, plans: readonly LoopPlan[], opLog: string | undefined): Promise<Crew> {
  const [plan] = plans
  return plan !== undefined && plans.length === 1 ? single(store, plan, opLog) : threads(store, plans, opLog)
}
