import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { built, child, DIST } from '../../cli/built.ts'
import { temporaryFolders } from './tree.ts'

const temporary = temporaryFolders()
beforeAll(() => built(), 120_000)

const MiB = 2 ** 20
const TRANSFER = new URL('storage/transfer/index.js', DIST).href

/** Copies in a process of its own: what that took at most, in bytes, and its report. */
async function copied(from: string, to: string, options: object): Promise<{ peak: number; report: object }> {
  const source = `
    import { readFileSync } from 'node:fs'
    import { copyObjects } from ${JSON.stringify(TRANSFER)}
    const report = await copyObjects(${JSON.stringify(from)}, ${JSON.stringify(to)}, ${JSON.stringify(options)})
    // Not maxRSS, which is that of the process that started this one, where that had more.
    const [, kilobytes] = /VmHWM:\\s+(\\d+)/.exec(readFileSync('/proc/self/status', 'latin1'))
    console.log(JSON.stringify({ peak: 1024 * Number(kilobytes), report }))`
  const { code, stdout, stderr } = await child(source)
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  return JSON.parse(stdout) as { peak: number; report: object }
}

const onLinux = test.runIf(process.platform === 'linux')

onLinux('10,000 small objects take little more memory than 100', async () => {
  const folder = await temporary()
  for (let d = 0; d < 100; d++) {
    await mkdir(join(folder, `in/${d}`), { recursive: true })
    await Promise.all(
      Array.from({ length: 100 }, (_, i) => writeFile(join(folder, `in/${d}/object-${i}`), `${d} ${i}`)),
    )
  }
  const few = await copied(join(folder, 'in/0'), join(folder, 'few'), { recursive: true })
  const many = await copied(join(folder, 'in'), join(folder, 'many'), { recursive: true })
  expect(many.report).toMatchObject({ copied: 10_000, failed: 0 })
  // Of 10,000 planned steps, and what the collector has not collected yet.
  expect(many.peak - few.peak).toBeLessThan(64 * MiB)
})

onLinux('a large object takes its window, whatever its size', async () => {
  const folder = await temporary()
  await writeFile(join(folder, 'in'), Buffer.alloc(300 * MiB, 'x'))
  // Another scheme is another store: the bytes go through this process.
  const options = { partSize: MiB, windowBytes: 8 * MiB }
  const { peak, report } = await copied(join(folder, 'in'), `direct://${folder}/out?fallback=buffered`, options)
  expect(report).toMatchObject({ copied: 1, bytes: 300 * MiB })
  expect(peak).toBeLessThan(120 * MiB)
})
