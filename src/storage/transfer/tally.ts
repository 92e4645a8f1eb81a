import { HeadraceError } from '../../errors.ts'
import type { BulkOptions, TransferFailure, TransferReport, TransferStep } from './types.ts'

const KEPT_FAILURES = 1000
const PROGRESS_MS = 100

/** Would fail for every object: nothing is gained by trying the others. */
const FATAL = ['E_CANCELLED', 'E_CREDENTIALS', 'E_NO_SPACE'] as const

function isFatal(error: unknown): boolean {
  return !(error instanceof HeadraceError) || FATAL.some((code) => error.code === code)
}

/** What nobody answers fails like this, object after object. */
const UNREACHABLE = ['E_NETWORK', 'E_TIMEOUT'] as const
/** So many of these in a row, and nothing else between them, and the rest is not tried. */
const GIVEN_UP_AFTER = 20

type TallyOptions = Pick<BulkOptions, 'onError' | 'onProgress' | 'onStep' | 'onFailure'>

/** Counts what a transfer does, and tells whoever wants to know. */
export class Tally {
  readonly #options: TallyOptions
  readonly #started = performance.now()
  readonly #failures: TransferFailure[] = []
  #copied = 0
  #skipped = 0
  #deleted = 0
  #failed = 0
  /** Objects that are through. */
  #through = 0
  #copiedBytes = 0
  #written = 0
  #listed = 0
  #listedBytes = 0
  #allListed = false
  #lastProgress = 0
  /** Failures of what could not be reached, since anything else happened to an object. */
  #unreachable = 0

  constructor(options: TallyOptions) {
    this.#options = options
  }

  listed(bytes: number): void {
    this.#listed++
    this.#listedBytes += bytes
  }

  allListed(): void {
    this.#allListed = true
  }

  /** Bytes on their way to becoming a copy. */
  written(bytes: number): void {
    this.#written += bytes
    this.#tell()
  }

  done(step: TransferStep): void {
    if (step.action === 'copy') {
      this.#copied++
      this.#copiedBytes += step.size
      this.#unreachable = 0
    } else if (step.action === 'delete') {
      this.#deleted++
      this.#unreachable = 0
    } else this.#skipped++
    this.#through++
    this.#options.onStep?.(step)
    this.#tell()
  }

  /** The original of a copy has been deleted: the same object as the copy. */
  moved(url: string): void {
    this.#deleted++
    this.#options.onStep?.({ action: 'delete', url })
  }

  /** Throws what ends the whole transfer. */
  failed(url: string, error: unknown): void {
    if (this.#options.onError === 'throw' || isFatal(error)) throw error
    const { code, message, details } = error as HeadraceError
    const { hint } = details
    const failure: TransferFailure = { url, code, message, ...(hint !== undefined && { hint }) }
    this.#failed++
    this.#through++
    if (this.#failures.length < KEPT_FAILURES) this.#failures.push(failure)
    this.#options.onFailure?.(failure)
    this.#tell()
    if (!UNREACHABLE.some((each) => each === code)) this.#unreachable = 0
    else if (++this.#unreachable >= GIVEN_UP_AFTER) throw this.#givenUp(error as HeadraceError)
  }

  report(): TransferReport {
    this.#tell(true)
    return {
      copied: this.#copied,
      bytes: this.#copiedBytes,
      skipped: this.#skipped,
      deleted: this.#deleted,
      failed: this.#failed,
      failures: this.#failures,
      seconds: this.#seconds(),
    }
  }

  #givenUp(last: HeadraceError): HeadraceError {
    const rest = this.#allListed ? ` of ${this.#listed}` : ''
    const failed = `${this.#failed} failed, ${this.#copied + this.#deleted} done${rest}`
    return new HeadraceError(
      last.code,
      `gave up after ${GIVEN_UP_AFTER} objects in a row that could not be reached (${failed}): ${last.message}`,
      { ...last.details, cause: last },
    )
  }

  #seconds(): number {
    return (performance.now() - this.#started) / 1000
  }

  #tell(last = false): void {
    const { onProgress } = this.#options
    if (onProgress === undefined) return
    const now = performance.now()
    if (!last && now - this.#lastProgress < PROGRESS_MS) return
    this.#lastProgress = now
    onProgress({
      objects: this.#through,
      bytes: this.#written,
      ...(this.#allListed ? { totalObjects: this.#listed, totalBytes: this.#listedBytes } : {}),
      failed: this.#failed,
      seconds: this.#seconds(),
    })
  }
}
