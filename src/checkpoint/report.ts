import type { CheckpointFile } from './types.ts'

export interface CheckpointProgress {
  /** Of files that are done. */
  readonly files: number
  readonly totalFiles: number
  /** Of tensors. */
  readonly bytes: number
  readonly totalBytes: number
}

export interface CheckpointReport {
  readonly files: number
  /** Of tensors. */
  readonly bytes: number
  /** Of files, headers included. */
  readonly storedBytes: number
  readonly seconds: number
  /** Tensor bytes over seconds, in GiB/s: what DLIO calls GB/s. 0 where nothing is this rank's. */
  readonly gibPerSecond: number
}

/** Counts while a checkpoint is saved or loaded. */
export class CheckpointTally {
  readonly #began = performance.now()
  readonly #total: Pick<CheckpointProgress, 'totalFiles' | 'totalBytes'>
  readonly #onProgress: ((progress: CheckpointProgress) => void) | undefined
  #files = 0
  #bytes = 0
  #headers = 0

  constructor(files: readonly CheckpointFile[], onProgress: ((progress: CheckpointProgress) => void) | undefined) {
    this.#total = { totalFiles: files.length, totalBytes: files.reduce((sum, { bytes }) => sum + bytes, 0) }
    this.#onProgress = onProgress
  }

  add(tensorBytes: number, headerBytes = 0): void {
    this.#bytes += tensorBytes
    this.#headers += headerBytes
    this.#tell()
  }

  fileDone(): void {
    this.#files++
    this.#tell()
  }

  report(): CheckpointReport {
    const seconds = (performance.now() - this.#began) / 1000
    return {
      files: this.#files,
      bytes: this.#bytes,
      storedBytes: this.#bytes + this.#headers,
      seconds,
      gibPerSecond: this.#bytes === 0 ? 0 : this.#bytes / 2 ** 30 / seconds,
    }
  }

  #tell(): void {
    this.#onProgress?.({ files: this.#files, bytes: this.#bytes, ...this.#total })
  }
}
