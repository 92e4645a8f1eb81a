import type { Requests } from './requests.ts'
import type { Results } from './results.ts'
import { formatSize } from './sizes.ts'
import { rows } from './targets.ts'

const whole = (value: number) => Math.round(value).toLocaleString('en-US')
const exact = (value: number) => (value < 20 ? value.toFixed(1) : whole(value))

function table(head: readonly string[], body: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...body.map(line)].join('\n')
}

function machineText({ machine, requests }: Results): string {
  const { date, processor, cores, memoryBytes, system, headrace, node, pinned, loadBefore } = machine
  const place = pinned
    ? 'the server on core 0, the client that is measured on core 1'
    : 'WITHOUT taskset: nothing was pinned to a core'
  const busy = loadBefore > 0.5 ? ' The machine was not idle: do not trust these numbers.' : ''
  const server = requests === undefined ? '' : typeof requests === 'string' ? `; ${requests}` : `; ${requests.server}`
  return [
    `${date}: ${processor}, ${cores} core(s), ${(memoryBytes / 2 ** 30).toFixed(0)} GiB, ${system}.`,
    `headrace ${headrace}, Node.js ${node}${server}.`,
    `${place}; load before the run ${loadBefore.toFixed(2)}.${busy}`,
  ].join('\n')
}

function requestsText({ clients, measured, failures }: Requests): string[] {
  const known = clients.filter(({ name }) => !name.startsWith('headrace'))
  const peers = known.map(({ name, version, missing }) => `${name} ${missing === undefined ? version : `(${missing})`}`)
  const body = measured.map(({ operation, size, objects, client, cpu, user, system, perSecond, rounds }) => [
    operation,
    operation === 'list' || operation === 'delete' ? `${whole(objects)} keys` : formatSize(size),
    client,
    exact(cpu),
    exact(user),
    exact(system),
    whole(perSecond),
    `${exact(Math.min(...rounds))} .. ${exact(Math.max(...rounds))}`,
  ])
  const head = ['operation', 'size', 'client', 'CPU, us', 'user', 'system', 'a second', 'rounds']
  return [
    '## Every client',
    '',
    'CPU of the client for one request or key, 16 requests in flight, plain HTTP on the loopback.',
    `Peers: ${peers.join(', ')}.`,
    '',
    table(head, body),
    ...(failures.length > 0 ? ['', ...failures.map((failure) => `- ${failure}`)] : []),
  ]
}

/** The run as Markdown: the promises first, then everything they were made of. */
export function markdown(results: Results): string {
  const { requests, http, streams, local, quick } = results
  const lines = [
    '# Storage: measured',
    '',
    'Made by `make bench ONLY=storage`; docs/benchmarks.md says how.',
    '',
    machineText(results),
  ]
  if (quick) lines.push('', '**A quick run: it shows that the benchmark works. Its numbers mean little.**')
  const promises = rows(results).map(({ what, target, ours, against, ratio, met }) => {
    const verdict = met === undefined ? '-' : met ? 'met' : '**missed**'
    return [what, target, ours, against, ratio, verdict]
  })
  lines.push('', table(['what', 'target', 'headrace', 'against', 'ratio', ''], promises))
  if (requests !== undefined && typeof requests !== 'string') lines.push('', ...requestsText(requests))
  if (http !== undefined)
    lines.push(
      '',
      '## The HTTP client alone',
      '',
      'Microseconds of CPU for one request against a server in C, 16 in flight, nothing signed or checked.',
      '',
      table(
        ['operation', 'size', 'headrace', 'undici', 'undici over headrace'],
        http.rows.map(({ operation, size, ours, undici, ratio }) => [
          operation,
          formatSize(size),
          exact(ours.user + ours.system),
          exact(undici.user + undici.system),
          `${ratio.toFixed(1)}x`,
        ]),
      ),
    )
  if (streams !== undefined)
    lines.push(
      '',
      '## Streams',
      '',
      '`headrace cp - s3://...` and `headrace cat s3://...`, default options, against a server in C.',
      '',
      table(
        ['direction', 'size', 'peak RSS, MiB', 'MB/s', 'CPU s'],
        streams.map(({ direction, bytes, peakRss, seconds, cpuSeconds }) => [
          direction,
          formatSize(bytes),
          whole(peakRss / 2 ** 20),
          whole(bytes / seconds / 1e6),
          cpuSeconds.toFixed(1),
        ]),
      ),
    )
  if (local !== undefined)
    lines.push(
      '',
      '## Local files',
      '',
      `direct:// against ${local.fio ?? 'fio, which is not installed'}: GB/s, microseconds of CPU for a block.`,
      '',
      table(
        ['operation', 'block', 'engine', 'depth', 'jobs', 'GB/s', 'fio', 'CPU', 'fio', 'throughput', 'CPU ratio'],
        local.compared.map((one) => [
          one.op,
          formatSize(one.blockSize),
          one.engine,
          `${one.depth}`,
          `${one.jobs}`,
          (one.bytesPerSecond / 1e9).toFixed(2),
          (one.fioBytesPerSecond / 1e9).toFixed(2),
          exact(one.cpuMicrosecondsPerBlock),
          exact(one.fioCpuMicrosecondsPerBlock),
          `${one.throughput.toFixed(2)}x`,
          `${one.cpu.toFixed(2)}x`,
        ]),
      ),
      '',
      table(
        ['file://', 'a second', 'CPU, us'],
        local.warm.map(({ what, readsPerSecond, cpuMicrosecondsEach }) => [
          what,
          whole(readsPerSecond),
          exact(cpuMicrosecondsEach),
        ]),
      ),
    )
  return `${lines.join('\n')}\n`
}
