import type { SetEncodings } from './encodings.ts'
import type { Machine } from './machine.ts'
import type { SetRates } from './rates.ts'
import type { Results } from './results.ts'
import { summary } from './summary.ts'
import { rows } from './targets.ts'

const whole = (value: number) => Math.round(value).toLocaleString('en-US')

function table(head: readonly string[], body: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...body.map(line)].join('\n')
}

function machineText({ pinned, loadBefore, ...machine }: Machine): string {
  const gib = (machine.memoryBytes / 2 ** 30).toFixed(0)
  const place = pinned ? 'one thread means `taskset -c 0`' : 'WITHOUT taskset: nothing was pinned to a core'
  const busy = loadBefore > 0.5 ? ' The machine was not idle: do not trust these numbers.' : ''
  return [
    `${machine.date}: ${machine.processor}, ${machine.cores} core(s), ${gib} GiB, ${machine.system}.`,
    `headrace ${machine.headrace}, Node.js ${machine.node}, libjpeg-turbo ${machine.libjpegTurbo}, ${machine.simd} kernels, rebuilt peers by ${machine.compiler}.`,
    `${place}; load before the run ${loadBefore.toFixed(2)}.${busy}`,
  ].join('\n')
}

function setText({ set, peers }: SetRates): string {
  const { name, images, pictures, quality, meanBytes, meanWidth, meanHeight } = set
  const source = meanBytes * images
  const files = peers.map((peer) => {
    const share = (peer.storedBytes / source).toFixed(2)
    const how = peer.name === 'ffcv' ? `encoded again at quality ${quality}` : 'the same JPEG bytes'
    return `${peer.name} ${peer.version} stores ${share}x these bytes (${how})`
  })
  const facts = `${whole(images)} images an epoch (${pictures} pictures, linked), quality ${quality} 4:2:0, mean ${Math.round(meanWidth)}x${Math.round(meanHeight)}, ${whole(meanBytes)} bytes`
  return `- \`${name}\`: ${facts}${files.length > 0 ? `; ${files.join('; ')}` : '; FFCV and slipstream are not installed'}.`
}

function ratesText(rates: readonly SetRates[]): string {
  const body = rates.flatMap(({ set, measured }) =>
    measured.map(({ operation, tool, batch, imagesPerSecond, imagesPerCpuSecond, rounds }) => [
      set.name,
      operation,
      tool,
      String(batch),
      whole(imagesPerSecond),
      whole(imagesPerCpuSecond),
      `${whole(Math.min(...rounds))} .. ${whole(Math.max(...rounds))}`,
    ]),
  )
  return table(['data', 'operation', 'tool', 'batch', 'images/s', 'images per CPU s', 'rounds'], body)
}

function encodingsText(encodings: readonly SetEncodings[]): string {
  const body = encodings.flatMap(({ set, forms, rivals }) => {
    const jpeg = forms.find(({ form }) => form === 'jpeg')?.bytes ?? 0
    const size = (bytes: number | undefined) => (bytes === undefined ? '' : `${(bytes / jpeg).toFixed(2)}x`)
    const own = forms.map(({ form, bytes, rrc, decode, avx2, build, twoViews }) => [
      set.name,
      form,
      size(bytes),
      whole(rrc.imagesPerSecond),
      avx2 === undefined ? '' : whole(avx2.rrc.imagesPerSecond),
      whole(decode.imagesPerSecond),
      avx2 === undefined ? '' : whole(avx2.decode.imagesPerSecond),
      `${twoViews.toFixed(2)}x`,
      whole(build),
    ])
    const others = rivals.map(({ name, rate, bytes }) => {
      const decodes = name.includes('whole pictures')
      const value = whole(rate.imagesPerSecond)
      return [set.name, name, size(bytes), decodes ? '' : value, '', decodes ? value : '', '', '', '']
    })
    return [...own, ...others]
  })
  const head = ['data', 'form', 'bytes', 'rrc', 'rrc, AVX2', 'decode', 'decode, AVX2', 'two views', 'built a second']
  return table(head, body)
}

/** The run as Markdown: the promises first, then everything they were made of. */
export function markdown(results: Results): string {
  const { machine, rates, encodings, scaling, build, cold, quick } = results
  const lines = [
    '# Image loader: measured',
    '',
    'Made by `make bench ONLY=vision`; docs/benchmarks.md says how.',
    '',
    machineText(machine),
  ]
  if (quick) lines.push('', '**A quick run: it shows that the benchmark works. Its numbers mean little.**')
  if (rates !== undefined) lines.push('', ...rates.map(setText))
  const short = summary(results)
  if (short !== undefined) lines.push('', '## In short', '', short.forms, '', short.promises, '', '## In full')
  const promises = rows(results).map(({ data, what, target, ours, against, ratio, met }) => {
    const verdict = met === undefined ? '-' : met ? 'met' : '**missed**'
    return [data, what, target, ours, against, ratio, verdict]
  })
  lines.push('', table(['data', 'what', 'target', 'headrace', 'against', 'ratio', ''], promises))
  if (rates !== undefined)
    lines.push('', '## Every tool', '', 'One thread each. uint8, NHWC, sequential order.', '', ratesText(rates))
  if (encodings !== undefined)
    lines.push(
      '',
      '## Every form of a cache',
      '',
      'One thread each. uint8, NHWC, sequential order.',
      '',
      encodingsText(encodings),
    )
  for (const one of scaling ?? [])
    lines.push(
      '',
      `${one.set}, one thread alone, on core 0: ${whole(one.oneThread)}/s; two threads are ${(one.twoThreads / one.oneThread).toFixed(2)}x that.`,
    )
  if (build !== undefined)
    lines.push(
      '',
      `Cache build: page cache emptied through ${build.dropped}. Until the command returned: cp -r ${build.copySeconds.toFixed(2)} s, build ${build.buildSeconds.toFixed(2)} s (the build has synced its files by then, cp has not). Until all was on disk: ${build.copySyncedSeconds.toFixed(2)} s and ${build.buildSyncedSeconds.toFixed(2)} s.`,
    )
  if (cold !== undefined) {
    const body = cold.map((one) => [
      one.set,
      one.pipeline,
      `${(100 * one.residentShare).toFixed(1)} %`,
      one.deviceBytes === undefined ? 'unknown' : whole(one.deviceBytes),
      whole(one.cacheBytes),
      whole(one.coldImagesPerSecond),
      whole(one.warmImagesPerSecond),
    ])
    const head = [
      'data',
      'pipeline',
      'in memory before',
      'device bytes read',
      'cache bytes',
      'cold images/s',
      'warm images/s',
    ]
    lines.push('', '## Cold epoch', '', 'One thread; pages dropped first.', '', table(head, body))
  }
  return `${lines.join('\n')}\n`
}
