import { native } from '../../../native.ts'

/** ms that a process may take to end by itself when its work is over. */
const PATIENCE = 3_000

/**
 * Runs what has threads of its own, for a program that ends afterwards. Node waits for all threads before it ends, also for
 * one that storage holds in a system call and does not let go: such a process is ended all the same.
 */
export async function despiteHeldThreads<T>(work: () => Promise<T>): Promise<T> {
  const onExit = (code: number) => native.exitNow(code)
  process.once('exit', onExit)
  try {
    return await work()
  } finally {
    process.off('exit', onExit)
    // A timer that waits for nothing runs only while something else does.
    setTimeout(() => native.exitNow(Number(process.exitCode ?? 0)), PATIENCE).unref()
  }
}
