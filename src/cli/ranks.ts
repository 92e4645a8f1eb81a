import type { RunProgress } from '../benchmark/dlio/run/index.ts'
import { formatBytes } from '../bytes.ts'
import { startRanks } from '../distributed/start.ts'
import { duration, ProgressLine } from './progress.ts'
import { interrupted } from './run.ts'

/** In the environment of ranks: whether whoever started them draws their progress. */
const PROGRESS = 'HEADRACE_SHOW_PROGRESS'
/** Before a line that is progress and not text. */
const MARK = '\u001e'

/** This command again, once a rank, with the same arguments. */
export async function startAll(ranks: number): Promise<void> {
  const [script = '', ...words] = process.argv.slice(1)
  const line = new ProgressLine(words.includes('--progress'))
  try {
    await startRanks({
      ranks,
      argv: [process.execPath, ...process.execArgv, script, ...words],
      env: { [PROGRESS]: line.enabled ? '1' : '0' },
      signal: interrupted,
      onOutput: ({ rank, stream, line: text }) => {
        if (text.startsWith(MARK)) {
          draw(line, JSON.parse(text.slice(MARK.length)) as RunProgress)
          return
        }
        line.clear()
        // Ranks that end because another one has failed say nothing new.
        if (rank === 0 || stream === 'stdout' || !text.includes('[E_PEER]')) process[stream].write(`${text}\n`)
      },
    })
  } finally {
    line.clear()
  }
}

/** Draws how far a run is, or tells whoever started the rank. */
export class RunMeter {
  readonly #line: ProgressLine
  readonly #talks: boolean

  /** `talks`: on one rank only. `force`: although stderr is no terminal. */
  constructor(talks: boolean, force: boolean) {
    this.#talks = talks
    this.#line = new ProgressLine(force && talks && process.env[PROGRESS] === undefined)
  }

  show(progress: RunProgress): void {
    if (!this.#talks) return
    const told = process.env[PROGRESS]
    if (told === '1') process.stderr.write(`${MARK}${JSON.stringify(progress)}\n`)
    else if (told === undefined) draw(this.#line, progress)
  }

  /** Makes room for text. */
  clear(): void {
    this.#line.clear()
  }
}

function draw(line: ProgressLine, progress: RunProgress): void {
  const { phase, epoch, done, total, au, bytes, samples, faults, seconds } = progress
  const counted = (value: number) => value.toLocaleString('en-US')
  const isBytes = phase === 'saving' || phase === 'loading'
  const parts = [
    ...(epoch > 0 ? [`epoch ${epoch}`] : []),
    isBytes ? formatBytes(done) : `${counted(done)} of ${counted(total)}`,
    ...(au === undefined ? [] : [`AU ${(100 * au).toFixed(1)} %`]),
    ...(seconds > 0
      ? [`${counted(Math.round(samples / seconds))} samples/s`, `${formatBytes(bytes / seconds)}/s`]
      : []),
    ...(faults > 0 ? [`${counted(faults)} not read`] : []),
    ...(seconds > 1 && phase === 'training' ? [duration(seconds)] : []),
  ]
  line.update(phase, done, total, parts.join(', '))
}
