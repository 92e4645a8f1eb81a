/** Lets a child process of a test run our TypeScript: `node --import ./typescript-loader.mjs child.ts`. Types are dropped, not checked. */
import { readFile } from 'node:fs/promises'
import { register } from 'node:module'
import { fileURLToPath } from 'node:url'
import { isMainThread } from 'node:worker_threads'

if (isMainThread) register(import.meta.url)

export async function load(url, context, next) {
  if (!url.startsWith('file:') || !url.endsWith('.ts')) return next(url, context)
  const { default: ts } = await import('typescript')
  const source = await readFile(fileURLToPath(url), 'utf8')
  const options = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2023, verbatimModuleSyntax: true }
  const { outputText } = ts.transpileModule(source, { compilerOptions: options, fileName: url })
  return { format: 'module', source: outputText, shortCircuit: true }
}
