import { formatBytes } from '../bytes.ts'

/** Columns of the bar itself. */
const WIDTH = 24
/** Redrawn at most this often, ms. */
const INTERVAL = 80

/** A progress line on stderr. Draws only on a terminal, or where --progress asks for it. */
export class ProgressLine {
  readonly #enabled: boolean
  #drawn = 0
  #shown = false

  constructor(force: boolean) {
    this.#enabled = force || process.stderr.isTTY === true
  }

  /** Whether anything is drawn at all. */
  get enabled(): boolean {
    return this.#enabled
  }

  update(label: string, done: number, total: number | undefined, text: string): void {
    const now = performance.now()
    const finished = done === total
    if (!this.#enabled || (!finished && now - this.#drawn < INTERVAL)) return
    this.#drawn = now
    this.#shown = true
    process.stderr.write(`\r\x1b[K${label} ${bar(done, total)} ${text}`)
  }

  /** Leaves the line as it is and goes to the next. */
  end(): void {
    if (this.#shown) process.stderr.write('\n')
    this.#shown = false
  }

  /** Takes the line away. */
  clear(): void {
    if (this.#shown) process.stderr.write('\r\x1b[K')
    this.#shown = false
  }
}

function bar(done: number, total: number | undefined): string {
  if (total === undefined || total === 0) return `${done.toLocaleString('en-US')} done`
  const filled = Math.min(WIDTH, Math.round((WIDTH * done) / total))
  const percent = Math.floor((100 * done) / total)
  return `${'█'.repeat(filled)}${'░'.repeat(WIDTH - filled)} ${String(percent).padStart(3)}%`
}

export function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return '?'
  if (seconds < 90) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`
  const minutes = Math.floor(seconds / 60)
  return minutes < 90
    ? `${minutes} min ${Math.round(seconds % 60)} s`
    : `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}

/** "812 images/s, 45.1 MB/s, 3.2 s left" */
export function rates(images: number, bytes: number, seconds: number, total: number | undefined): string {
  const parts = [`${Math.round(images / seconds).toLocaleString('en-US')} images/s`]
  if (bytes > 0) parts.push(`${formatBytes(bytes / seconds)}/s`)
  if (total !== undefined && images > 0) parts.push(`${duration(((total - images) * seconds) / images)} left`)
  return parts.join(', ')
}
