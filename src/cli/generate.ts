import { Command, InvalidArgumentError, Option } from 'commander'
import { PROFILES } from '../benchmark/dlio/config/profiles.ts'
import type { Profile } from '../benchmark/dlio/types.ts'
import { formatBytes, formatRate } from '../bytes.ts'
import { show as quoted } from '../checks.ts'
import { discoverRank } from '../distributed/rank.ts'
import type { DType } from '../dtype.ts'
import { HeadraceError } from '../errors.ts'
import type { Compression, FormatName } from '../formats/types.ts'
import { DataSet, type DataSetSpec, type GenerateReport, generate } from '../generate/index.ts'
import type { StoreOptions } from '../storage/url.ts'
import { flag } from './flags.ts'
import { duration, ProgressLine } from './progress.ts'
import { interrupted, printFacts, printJson } from './run.ts'
import { count, countFromZero, given, list, size } from './values.ts'

const FORMATS: readonly FormatName[] = [
  'npz',
  'npy',
  'hdf5',
  'csv',
  'jpeg',
  'png',
  'tfrecord',
  'indexed_binary',
  'mmap_indexed_binary',
  'parquet',
  'synthetic',
]

const DTYPES: readonly DType[] = [
  'uint8',
  'int8',
  'uint16',
  'int16',
  'uint32',
  'int32',
  'uint64',
  'int64',
  'float16',
  'float32',
  'float64',
  'bool',
]

const COMPRESSIONS: readonly Compression[] = ['none', 'gzip', 'lzf', 'bz2', 'zip', 'xz', 'snappy']

interface SetFlags {
  format?: FormatName
  filesTrain: number
  filesEval: number
  samples: number
  recordBytes: number
  recordStdev: number
  recordDims?: readonly number[]
  dtype: DType
  subfoldersTrain: number
  subfoldersEval: number
  prefix: string
  naming: DataSetSpec['naming']
  seed: number
  dedup: number
  compress: number
  compression?: Compression
  compressionLevel?: number
  chunkDims?: readonly number[]
  maxShape?: readonly number[]
  dataSets?: number
  rowGroupSize?: number
}

interface Flags extends SetFlags {
  config?: string
  profile?: Profile
  threads?: number
  rank?: number
  ranks?: number
  skipExisting?: boolean
  overwrite?: boolean
  dryRun?: boolean
  json?: boolean
  progress?: boolean
}

/** Those that may stand beside a config, since DLIO's have no words for them. */
const BESIDE_CONFIG: readonly (keyof SetFlags)[] = ['naming', 'seed', 'dedup', 'compress']

const HELP = `
Files are named, dealt to ranks and shaped as DLIO does it. What they are is said by flags; or by a config of DLIO's or
dl-driver's (-c FILE) with overrides as of \`headrace dlio\`, to which only --naming, --seed, --dedup and --compress may
be added. Their content follows from --seed alone. Files that are there already, of the right size and with the right
beginning, stay as they are (--skip-existing, the default), so that the same command goes on after an interruption;
--overwrite writes them all.

Started by mpirun, srun or torchrun, each process makes its share of the files; otherwise --rank and --ranks say which.`

const EXAMPLES = `
Examples:
  headrace generate data/unet3d --format npz --files-train 168 --record-bytes 146600628 --record-stdev 68341808
  headrace generate -c unet3d.yaml workload.dataset.num_files_train=16 --dry-run`

/** `headrace generate` */
export function generateCommand(): Command {
  return setFlags(new Command('generate'))
    .description('make a data set of random content')
    .argument('[url]', 'folder that train/ and valid/ will lie in, in any store; with -c an override')
    .argument('[overrides...]', 'with -c: as of headrace dlio')
    .addOption(flag('-c, --config <file>', 'a config that says what the set is: YAML or JSON'))
    .addOption(flag('--profile <name>', 'with -c: whose behaviour holds where DLIOs differ', { choices: PROFILES }))
    .addOption(flag('--threads <n>', 'threads that make files', { parse: count, shown: 'cores, up to 8' }))
    .addOption(flag('--rank <n>', 'which of --ranks this process is', { parse: countFromZero, shown: 'as launched' }))
    .addOption(flag('--ranks <n>', 'processes that share the work', { parse: count, shown: 'as launched' }))
    .addOption(new Option('--skip-existing', 'keep files that are there and right').conflicts('overwrite'))
    .option('--overwrite', 'write files that are there and right, too')
    .option('--dry-run', 'only tell which files and how many bytes it would be')
    .option('--json', 'print one JSON document')
    .option('--progress', 'draw progress although stderr is no terminal')
    .addHelpText('after', HELP)
    .addHelpText('after', EXAMPLES)
    .action(async (url: string | undefined, overrides: readonly string[], flags: Flags, command: Command) => {
      const launched = discoverRank()
      const share = { rank: flags.rank ?? launched.rank, size: flags.ranks ?? launched.worldSize }
      if (flags.config !== undefined) {
        const words = url === undefined ? [] : [url, ...overrides]
        const { spec, options } = await configured(flags.config, words, flags, share.size, command)
        await show(spec, share, flags, options)
        return
      }
      if (url === undefined) throw new HeadraceError('E_USAGE', 'a set needs a URL to lie at, or a config (-c)')
      if (overrides[0] !== undefined)
        throw new HeadraceError('E_USAGE', `only a config (-c) has overrides, but got ${quoted(overrides[0])}`)
      await show(specOf(url, flags), share, flags)
    })
}

/** The set that a config describes, and what its store is to be told. */
async function configured(
  file: string,
  overrides: readonly string[],
  { profile, naming, seed, dedup, compress }: Flags,
  ranks: number,
  command: Command,
): Promise<{ readonly spec: DataSetSpec; readonly options: StoreOptions }> {
  const isGiven = (name: string) => command.getOptionValueSource(name) === 'cli'
  const misplaced = setFlags(new Command())
    .options.filter((option) => !BESIDE_CONFIG.includes(option.attributeName() as keyof SetFlags))
    .find((option) => isGiven(option.attributeName()))
  if (misplaced !== undefined)
    throw new HeadraceError('E_USAGE', `${misplaced.long} cannot stand beside a config (-c), which says that`, {
      hint: 'overrides change the config: workload.dataset.num_files_train=16',
    })
  // Loaded where there is a config: a third of the time that it takes to start.
  const { resolveConfig } = await import('../benchmark/dlio/config/resolve.ts')
  const { printWarnings } = await import('./dlio-config.ts')
  const found = await resolveConfig({ file, overrides, ranks, naming, ...given({ profile }) })
  printWarnings(found.warnings)
  const { data } = found.workload
  const beside = { ...(isGiven('seed') && { seed }), dedup, compress }
  return { spec: { ...data, ...beside }, options: /^(?:s3|az|gs):/i.test(data.url) ? found.storageOptions : {} }
}

function setFlags(command: Command): Command {
  return command
    .addOption(flag('--format <name>', 'of the files', { choices: FORMATS }))
    .addOption(flag('--files-train <n>', 'files in train/', { parse: countFromZero, default: 8 }))
    .addOption(flag('--files-eval <n>', 'files in valid/', { parse: countFromZero, default: 0 }))
    .addOption(flag('--samples <n>', 'samples in a file', { parse: count, default: 1 }))
    .addOption(flag('--record-bytes <bytes>', 'of a sample', { parse: size, default: 65536 }))
    .addOption(flag('--record-stdev <bytes>', 'deviation of that', { parse: bytesFromZero, default: 0 }))
    .addOption(flag('--record-dims <n,n,...>', 'shape of a sample, in place of its bytes', { parse: sides }))
    .addOption(flag('--dtype <name>', 'of its elements, where there is a shape', { choices: DTYPES, default: 'uint8' }))
    .addOption(flag('--subfolders-train <n>', 'folders in train/', { parse: countFromZero, default: 0 }))
    .addOption(flag('--subfolders-eval <n>', 'folders in valid/', { parse: countFromZero, default: 0 }))
    .addOption(flag('--prefix <name>', 'what names of files begin with', { default: 'img' }))
    .addOption(flag('--naming <name>', 'whose names files have', { choices: ['dlio', 'dl-driver'], default: 'dlio' }))
    .addOption(flag('--seed <n>', 'of the content', { parse: countFromZero, default: 10 }))
    .addOption(flag('--dedup <ratio>', 'how often each block of content is there', { parse: ratio, default: 1 }))
    .addOption(flag('--compress <ratio>', 'how much smaller zstd makes the content', { parse: ratio, default: 1 }))
    .addOption(flag('--compression <name>', 'of the format', { choices: COMPRESSIONS }))
    .addOption(flag('--compression-level <n>', 'of that', { parse: countFromZero }))
    .addOption(flag('--chunk-dims <n,n,...>', 'hdf5: dimensions of a chunk', { parse: sides }))
    .addOption(flag('--max-shape <n,n,...>', 'hdf5: largest dimensions', { parse: sides }))
    .addOption(flag('--data-sets <n>', 'hdf5: data sets that a record is spread over', { parse: count }))
    .addOption(flag('--row-group-size <n>', 'parquet: rows of a row group', { parse: count }))
}

function specOf(url: string, flags: SetFlags): DataSetSpec {
  if (flags.format === undefined)
    throw new HeadraceError('E_USAGE', 'a set needs a format (--format), or a config (-c)')
  const { compression, compressionLevel, chunkDims, maxShape, dataSets, rowGroupSize } = flags
  return {
    url,
    format: flags.format,
    filesTrain: flags.filesTrain,
    filesValid: flags.filesEval,
    subfoldersTrain: flags.subfoldersTrain,
    subfoldersValid: flags.subfoldersEval,
    samplesPerFile: flags.samples,
    naming: flags.naming,
    prefix: flags.prefix,
    record:
      flags.recordDims === undefined
        ? { kind: 'length', bytes: flags.recordBytes, stdev: flags.recordStdev }
        : { kind: 'dims', dims: flags.recordDims, dtype: flags.dtype },
    options: given({ compression, compressionLevel, chunkDims, maxShape, dataSets, rowGroupSize }),
    seed: flags.seed,
    // DLIO's own.
    sizesSeed: 10,
    dedup: flags.dedup,
    compress: flags.compress,
  }
}

async function show(
  spec: DataSetSpec,
  share: { readonly rank: number; readonly size: number },
  { threads, overwrite, dryRun, json, progress }: Flags,
  storeOptions: StoreOptions = {},
): Promise<void> {
  const line = new ProgressLine(progress === true)
  const report = await generate(spec, {
    ...share,
    storeOptions,
    ...given({ threads, dryRun }),
    ...(overwrite === true && { existing: 'replace' }),
    signal: interrupted,
    onProgress: ({ files, totalFiles, bytes, totalBytes, kept, seconds }) => {
      const left = totalBytes * (1 - kept / Math.max(1, totalFiles)) - bytes
      const rate = bytes / seconds
      const text = `${files.toLocaleString('en-US')} of ${totalFiles.toLocaleString('en-US')} files, ${formatRate(rate)}`
      line.update(
        'generating',
        files,
        totalFiles,
        rate > 0 ? `${text}, ${duration(Math.max(0, left) / rate)} left` : text,
      )
    },
  }).finally(() => line.clear())
  if (json === true) printJson(report)
  else if (report.dryRun) showPlan(spec, report)
  else showReport(report)
}

const number = (value: number) => value.toLocaleString('en-US')

function rankFacts({ rank, size, files }: GenerateReport): (readonly [string, string])[] {
  return size === 1 ? [] : [['rank', `${rank} of ${size}: ${number(files)} files`]]
}

function showPlan(spec: DataSetSpec, report: GenerateReport): void {
  const { url, format, total, size, bytes } = report
  const set = new DataSet(spec)
  const about = total.exact ? '' : 'about '
  printFacts([
    ['set', url],
    [
      'files',
      `${number(total.files)} ${format}: ${number(spec.filesTrain)} to train, ${number(spec.filesValid)} to evaluate`,
    ],
    ['bytes', `${about}${number(total.bytes)} (${formatBytes(total.bytes)})`],
    ['samples', `${number(set.samples)}, ${number(spec.samplesPerFile)} a file`],
    ['first', set.key(0)],
    ['last', set.key(set.files - 1)],
    ...rankFacts(report),
    ...(size === 1 ? [] : [['its bytes', `${about}${number(bytes)} (${formatBytes(bytes)})`] as const]),
  ])
}

function showReport(report: GenerateReport): void {
  const { url, written, kept, bytes, seconds, bytesPerSecond } = report
  printFacts([
    ['set', url],
    ...rankFacts(report),
    [
      'written',
      `${number(written)} files, ${formatBytes(bytes)} in ${duration(seconds)} (${formatRate(bytesPerSecond)})`,
    ],
    ...(kept === 0 ? [] : [['kept', `${number(kept)} files that were there`] as const]),
  ])
}

function ratio(text: string): number {
  const value = Number(text)
  if (text.trim() === '' || !(value >= 1 && Number.isFinite(value)))
    throw new InvalidArgumentError('It must be a number of 1 or more.')
  return value
}

function bytesFromZero(text: string): number {
  return Number(text) === 0 && text.trim() !== '' ? 0 : size(text)
}

function sides(text: string): readonly number[] {
  return list(text).map(count)
}
