import { writeFileSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { knownOptions, show } from '../../../checks.ts'
import { fromSystemError, HeadraceError } from '../../../errors.ts'
import { resolveConfig } from '../config/resolve.ts'
import { type PostprocessReport, postprocessReport, type RunFacts } from './report.ts'
import { type RunFolder, readRunFolder } from './run-folder.ts'
import { reportText } from './text.ts'

export interface PostprocessOptions {
  /** Of the run; the model's where absent. */
  readonly name?: string
}

export interface Postprocessed {
  readonly report: PostprocessReport
  /** Where its text was written. */
  readonly path: string
}

async function factsOf(folder: RunFolder, name: string | undefined): Promise<RunFacts> {
  if (folder.config === undefined)
    throw new HeadraceError('E_NOT_FOUND', `${folder.path} has no .hydra/config.yaml, which says what batches were`, {
      path: folder.path,
    })
  const { workload } = await resolveConfig({ file: folder.config })
  return {
    name: name ?? workload.model.name,
    batchSize: workload.reader.batchSize,
    batchSizeEval: workload.reader.batchSizeEval,
    recordBytes: workload.recordLength,
  }
}

/** Writes `DLIO_{name}_report.txt` into the output folder of a run, DLIO's or ours. E_NOT_FOUND, E_CORRUPT. */
export async function postprocess(path: string, options: PostprocessOptions = {}): Promise<Postprocessed> {
  knownOptions('postprocess', options, ['name'])
  const { name } = options
  if (name !== undefined && (typeof name !== 'string' || name !== basename(name) || name === ''))
    throw new HeadraceError('E_USAGE', `name must be part of a file's name, but got ${show(name)}`)
  const folder = readRunFolder(resolve(path))
  const facts = await factsOf(folder, name)
  const report = postprocessReport(folder, facts)
  const file = join(folder.path, `DLIO_${facts.name.replaceAll('/', '_')}_report.txt`)
  try {
    writeFileSync(file, reportText(report))
  } catch (error) {
    throw fromSystemError(error, `writing ${file}`, { path: file })
  }
  return { report, path: file }
}
