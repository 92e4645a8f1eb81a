import { parentPort, workerData } from 'node:worker_threads'
import { HeadraceError } from '../../errors.ts'
import { OpLogWriter } from '../../storage/oplog/writer.ts'
import { openStoreSpec } from '../../storage/spec.ts'
import type { StoreSpec } from '../../storage/types.ts'
import { Loop, type LoopResult } from './loop.ts'
import type { LoopPlan } from './types.ts'

/** The thread of one loop: opens a store of its own, then runs as it is told. */

export interface WorkerData {
  readonly spec: StoreSpec
  readonly plan: LoopPlan
  readonly opLog: string | undefined
}

export type WorkerCommand =
  | { readonly do: 'run'; readonly seconds: number; readonly logged: boolean }
  | { readonly do: 'stop' }
  | { readonly do: 'close' }

export type WorkerAnswer =
  | { readonly kind: 'ready' }
  | { readonly kind: 'result'; readonly result: LoopResult }
  | { readonly kind: 'closed' }
  | { readonly kind: 'failed'; readonly code: HeadraceError['code']; readonly message: string; readonly hint?: string }

const answer = (message: WorkerAnswer) => parentPort?.postMessage(message)

/** Errors lose their class on the way to another thread. */
function fail(error: unknown): void {
  const message = error instanceof Error ? error.message : String(error)
  if (!(error instanceof HeadraceError)) answer({ kind: 'failed', code: 'E_SERVER', message })
  else
    answer({
      kind: 'failed',
      code: error.code,
      message,
      ...(error.details.hint === undefined ? {} : { hint: error.details.hint }),
    })
}

async function serve({ spec, plan, opLog }: WorkerData): Promise<void> {
  const store = await openStoreSpec(spec)
  const { worker, workers } = plan
  const sink =
    opLog === undefined
      ? undefined
      : await OpLogWriter.open(opLog, { append: true, firstIndex: worker, indexStep: workers })
  const loop = new Loop(store, plan, sink)
  const obey = async (command: WorkerCommand) => {
    if (command.do === 'stop') loop.stop()
    else if (command.do === 'run') answer({ kind: 'result', result: await loop.run(command.seconds, command.logged) })
    else {
      try {
        await sink?.close()
      } finally {
        await store.close()
      }
      answer({ kind: 'closed' })
      parentPort?.close()
    }
  }
  parentPort?.on('message', (command: WorkerCommand) => {
    obey(command).catch(fail)
  })
  answer({ kind: 'ready' })
}

serve(workerData as WorkerData).catch(fail)
