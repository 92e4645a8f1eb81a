import type { PlannedBytes } from './plan.ts'
import type { Tally } from './tally.ts'

/** ms between two calls of onProgress. */
const INTERVAL = 100

export interface GenerateProgress {
  /** Written or found to be right. */
  readonly files: number
  /** Of this rank. */
  readonly totalFiles: number
  /** Written. */
  readonly bytes: number
  /** That this rank's files have, about. */
  readonly totalBytes: number
  /** Found to be right. */
  readonly kept: number
  readonly seconds: number
}

/** Calls back while files are made, and once more at the end. What the callback throws ends the run. */
export function watchProgress(
  own: PlannedBytes,
  tally: Tally,
  onProgress: ((progress: GenerateProgress) => void) | undefined,
  stop: AbortController,
): { end(): void } {
  if (onProgress === undefined) return { end: () => {} }
  const started = performance.now()
  const tell = () => {
    const kept = tally.get('kept')
    try {
      onProgress({
        files: tally.get('written') + kept,
        totalFiles: own.files,
        bytes: tally.get('bytes'),
        totalBytes: own.bytes,
        kept,
        seconds: (performance.now() - started) / 1000,
      })
    } catch (error) {
      stop.abort(error)
    }
  }
  const timer = setInterval(tell, INTERVAL)
  return {
    end: () => {
      clearInterval(timer)
      tell()
    },
  }
}
