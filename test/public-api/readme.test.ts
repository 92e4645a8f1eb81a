import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import ts from 'typescript'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makePhotos } from '../../examples/make-photos.ts'
import { built, child, DIST, ROOT } from '../cli/built.ts'
import { PHOTOS } from '../loader/photo-cache.ts'
import { diagnose } from './compile.ts'

/** README's screen of TypeScript, with the lines of its loop and what they are said to be. */
let screen: string
let folder: string
beforeAll(async () => {
  const readme = await readFile(join(ROOT, 'README.md'), 'utf8')
  screen = /```ts\n(import \{ buildImageCache[\s\S]*?)```/.exec(readme)?.[1] ?? ''
  folder = await mkdtemp(join(tmpdir(), 'headrace-readme-'))
  await built()
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** Puts statements at the end of the loop's body. */
function inLoop(statements: string): string {
  const end = screen.lastIndexOf('}')
  return `${screen.slice(0, end)}${statements}\n}\n`
}

describe("README's screen of TypeScript", () => {
  it('is there and loads shuffled batches of 256', () => {
    expect(screen).toContain("await buildImageCache('photos/', 'photos.cache')")
    expect(screen).toContain('batchSize: 256, shuffle: true, seed: 7')
  })

  it('compiles, with the types that it says', () => {
    const said = `
      const a: readonly number[] = image.shape
      const b: 'float32' = image.dtype
      const c: Float32Array = image.data
      const d: BigInt64Array = label.data
      void [a, b, c, d]`
    expect(diagnose(inLoop(said))).toEqual([])
  })

  it('does not compile where a type is another one', () => {
    expect(diagnose(inLoop('const wrong: Uint8Array = image.data; void wrong'))).toEqual([
      expect.stringContaining("is not assignable to type 'Uint8Array"),
    ])
    expect(diagnose(inLoop("const wrong: 'uint8' = image.dtype; void wrong"))).toEqual([
      `Type '"float32"' is not assignable to type '"uint8"'.`,
    ])
  })

  it('runs, and the batches are what it says', async () => {
    await makePhotos(PHOTOS, join(folder, 'photos'), { count: 300, shortSide: 48, quality: 80, seed: 4 })
    const source = inLoop(
      'console.log(JSON.stringify([image.shape, image.dtype, label.data.constructor.name, label.data.length, image.data.length]))',
    )
    const { outputText } = ts.transpileModule(source, {
      compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2023 },
    })
    const { code, stdout, stderr } = await child(
      `process.chdir(${JSON.stringify(folder)})\n${outputText.replace("'headrace'", `'${DIST}'`)}`,
    )
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(
      stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line)),
    ).toEqual([
      [[256, 224, 224, 3], 'float32', 'BigInt64Array', 256, 256 * 224 * 224 * 3],
      [[44, 224, 224, 3], 'float32', 'BigInt64Array', 44, 44 * 224 * 224 * 3],
    ])
  })
})
