import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** What a process of the tests needs: it starts in 50 ms, since nothing else is loaded. */
async function sources(): Promise<string[]> {
  const ranks = await readdir(join(ROOT, 'src/distributed'))
  const own = ['child.ts', 'scenarios.ts', 'parent-child.ts']
  return [
    'src/errors.ts',
    'src/checks.ts',
    ...ranks.map((name) => `src/distributed/${name}`),
    ...own.map((name) => `test/distributed/${name}`),
  ]
}

/** Types are dropped, not checked. */
export async function compiled(): Promise<{ file: (name: string) => string; remove: () => Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'headrace-ranks-test-'))
  const compilerOptions = {
    module: ts.ModuleKind.ESNext,
    target: ts.ScriptTarget.ES2023,
    verbatimModuleSyntax: true,
    rewriteRelativeImportExtensions: true,
  }
  await writeFile(join(folder, 'package.json'), '{"type":"module"}')
  for (const name of await sources()) {
    const { outputText } = ts.transpileModule(await readFile(join(ROOT, name), 'utf8'), {
      compilerOptions,
      fileName: name,
    })
    const path = join(folder, name.replace(/\.ts$/, '.js'))
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, outputText)
  }
  return {
    file: (name) => join(folder, 'test/distributed', name),
    remove: () => rm(folder, { recursive: true, force: true }),
  }
}
