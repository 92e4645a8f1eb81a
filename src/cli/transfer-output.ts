import { formatBytes } from '../bytes.ts'
import { OpLogWriter } from '../storage/oplog/writer.ts'
import type {
  BulkOptions,
  TransferFailure,
  TransferProgress,
  TransferReport,
  TransferStep,
} from '../storage/transfer/index.ts'
import { duration, ProgressLine } from './progress.ts'
import { EXIT, interrupted, oneLine, print, printHint, printJson } from './run.ts'
import type { BulkFlags } from './transfer-flags.ts'
import { given } from './values.ts'

const number = (value: number) => value.toLocaleString('en-US')
const objects = (count: number) => `${number(count)} object${count === 1 ? '' : 's'}`

/** "1,204 objects, 45.1 MiB/s, 3.2 s left" */
function rates({ objects: through, bytes, totalObjects, totalBytes, seconds, failed }: TransferProgress): string {
  const share = totalBytes ? bytes / totalBytes : totalObjects ? through / totalObjects : 0
  return [
    objects(through),
    ...(bytes > 0 ? [`${formatBytes(bytes / seconds)}/s`] : []),
    ...(failed > 0 ? [`${number(failed)} failed`] : []),
    ...(share > 0 ? [`${duration((seconds * (1 - share)) / share)} left`] : []),
  ].join(', ')
}

function draw(line: ProgressLine, label: string, progress: TransferProgress): void {
  const { objects: through, bytes, totalObjects, totalBytes } = progress
  if (totalBytes) line.update(label, bytes, totalBytes, rates(progress))
  else line.update(label, through, totalObjects, rates(progress))
}

function told(step: TransferStep): string {
  if (step.action === 'copy') return `copy ${step.from} to ${step.to} (${formatBytes(step.size)})`
  return step.action === 'delete' ? `delete ${step.url}` : `skip ${step.url}: it ${step.reason}`
}

function reportFailure({ url, code, message }: TransferFailure): void {
  const text = message.includes(url) ? message : `${url}: ${message}`
  process.stderr.write(`headrace: ${oneLine(text)} [${code}]\n`)
}

/** Many failures have one cause: each hint is told once, at the end. */
const MOST_HINTS = 5

/** "copied 24 objects, 3.1 MiB, in 1.2 s (2.6 MiB/s); 3 skipped" */
function summary(report: TransferReport, dryRun: boolean): string {
  const { copied, bytes, skipped, deleted, failed, seconds } = report
  const would = dryRun ? 'would have ' : ''
  const parts = [
    ...(copied > 0 || deleted === 0 ? [`copied ${objects(copied)}, ${formatBytes(bytes)}`] : []),
    ...(deleted > 0 ? [`deleted ${objects(deleted)}`] : []),
  ]
  const rest = [
    ...(skipped > 0 ? [`${number(skipped)} skipped`] : []),
    ...(failed > 0 ? [`${number(failed)} failed`] : []),
  ]
  const rate = bytes > 0 && !dryRun ? ` (${formatBytes(bytes / seconds)}/s)` : ''
  return [`${would}${parts.join(', ')}, in ${duration(seconds)}${rate}`, ...rest].join('; ')
}

/** Runs a transfer as its flags say: progress, plan, failures and result where they belong, and the exit code. */
export async function showTransfer(
  label: string,
  flags: BulkFlags,
  run: (options: BulkOptions) => Promise<TransferReport>,
): Promise<void> {
  const { include, exclude, onError, dryRun = false, json = false } = flags
  const line = new ProgressLine(flags.progress === true)
  const plan = (step: TransferStep) => (json ? process.stdout.write(`${JSON.stringify(step)}\n`) : print(told(step)))
  const opLog = flags.opLog === undefined ? undefined : await OpLogWriter.open(flags.opLog)
  const hints = new Set<string>()
  const report = await run({
    ...given({ include, exclude, opLog }),
    dryRun,
    onError: onError === 'throw' ? 'throw' : 'report',
    signal: interrupted,
    ...(line.enabled ? { onProgress: (progress: TransferProgress) => draw(line, label, progress) } : {}),
    onFailure: (failure) => {
      line.clear()
      if (failure.hint !== undefined && hints.size < MOST_HINTS) hints.add(failure.hint)
      reportFailure(failure)
    },
    ...(dryRun ? { onStep: plan } : {}),
  }).finally(async () => {
    line.clear()
    await opLog?.close()
  })
  for (const hint of hints) printHint(hint)
  const { skipped, failed } = report
  const shown = onError === 'skip' ? { ...report, skipped: skipped + failed, failed: 0 } : report
  if (shown.failed > 0) process.exitCode = EXIT.partial
  if (!json) print(summary(shown, dryRun))
  else if (!dryRun) printJson(shown)
}
