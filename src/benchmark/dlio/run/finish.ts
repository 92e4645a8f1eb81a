import { closeSync, openSync, renameSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { fromSystemError } from '../../../errors.ts'
import { timestamp } from './clock.ts'
import type { RankContext } from './context.ts'
import { decodeDigest, digestOf, encodeDigest, type RankDigest } from './digest.ts'
import { metricBlock } from './metric-block.ts'
import { GB } from './metrics.ts'
import { perEpochStats, rankOutput, summaryOutput } from './outputs.ts'
import { type PythonValue, pythonJson } from './python-json.ts'
import type { RankResult } from './rank-result.ts'
import { type RunReport, reportOf } from './report.ts'
import { checkpointSummary, type RunSummary, summarize } from './summary.ts'

/** Text that is written at once. */
const CHUNK = 2 ** 18

/** Writes a document, visible when it is whole. */
function writeJson(folder: string, name: string, value: PythonValue): void {
  const path = join(folder, name)
  const temporary = `${path}.part`
  let fd: number | undefined
  try {
    fd = openSync(temporary, 'w')
    let text = ''
    for (const piece of pythonJson(value)) {
      text += piece
      if (text.length < CHUNK) continue
      writeSync(fd, text)
      text = ''
    }
    writeSync(fd, text)
    closeSync(fd)
    fd = undefined
    renameSync(temporary, path)
  } catch (error) {
    if (fd !== undefined) closeSync(fd)
    rmSync(temporary, { force: true })
    throw fromSystemError(error, `writing ${path}`, { path })
  }
}

/** What all ranks brought back, on rank 0; where they cannot be asked any more, what this one did. */
async function gathered(
  context: RankContext,
  own: RankDigest,
  partial: boolean,
): Promise<readonly RankDigest[] | undefined> {
  const { comm } = context
  if (comm.size === 1) return [own]
  if (partial) return comm.rank === 0 ? [own] : undefined
  const all = await comm.gather(encodeDigest(own), { signal: context.signal })
  return all?.map(decodeDigest)
}

/** Ranks of one each of the hosts. */
function hostsOf(ranks: readonly RankDigest[]): readonly RankDigest[] {
  return ranks.filter(({ hostname }, i) => ranks.findIndex((other) => other.hostname === hostname) === i)
}

/** Writes the files of a rank, and on rank 0 those of the run; the report there. `partial`: why it was not finished. */
export async function finish(
  context: RankContext,
  result: RankResult,
  partial: string | undefined,
): Promise<RunReport | undefined> {
  const { workload, comm, log, rules, host, dataPerHostGb, outputFolder } = context
  const { epochs } = result
  const own = digestOf(result, host, comm.localRank, workload.output.excludeStartSteps)
  const ranks = await gathered(context, own, partial !== undefined)
  const started = workload.workflow.train || workload.workflow.checkpoint || workload.workflow.evaluation
  if (started) {
    writeJson(outputFolder, `${comm.rank}_per_epoch_stats.json`, perEpochStats(epochs))
    writeJson(outputFolder, `${comm.rank}_output.json`, rankOutput(host, dataPerHostGb <= host.memoryGb, epochs))
  }
  if (ranks === undefined) return undefined
  const save = checkpointSummary(epochs, 'save')
  const load = checkpointSummary(epochs, 'load')
  const summary: RunSummary = {
    ...(save && { save }),
    ...(load && { load }),
    ...(result.checkpointBytes !== undefined && { checkpointGb: result.checkpointBytes / GB }),
    ...summarize(
      ranks.map(({ metrics }) => metrics),
      context.recordBytes,
      workload.metricAu,
      rules,
    ),
  }
  if (partial !== undefined) log.warning(`these outputs are partial: ${partial}`)
  if (started) {
    log.output(`Saved outputs in ${outputFolder}`)
    const { writes, reads } = workload.checkpoint
    log.block(metricBlock(summary, comm.size, rules.units, { written: writes > 0, read: reads > 0 }))
    writeJson(
      outputFolder,
      'summary.json',
      summaryOutput({
        start: result.start,
        end: timestamp(),
        ranks: comm.size,
        host,
        hosts: hostsOf(ranks),
        filesTrain: workload.data.filesTrain,
        filesValid: workload.data.filesValid,
        samplesPerFile: workload.data.samplesPerFile,
        dataPerHostGb,
        epochs: summary.train?.au.length ?? 0,
        summary,
        ...(partial !== undefined && { partial }),
      }),
    )
    log.output('outputs saved in RANKID_output.json')
  }
  return reportOf(ranks, summary, {
    outputFolder,
    auGoal: workload.metricAu,
    readThreads: workload.reader.readThreads,
    ...(partial !== undefined && { partial }),
  })
}
