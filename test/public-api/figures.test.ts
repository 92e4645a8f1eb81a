import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { markdown as storageMarkdown } from '../../bench/storage/report.ts'
import type { Results as StorageResults } from '../../bench/storage/results.ts'
import { withSummary } from '../../bench/storage/summary.ts'
import { markdown } from '../../bench/vision/report.ts'
import type { Results } from '../../bench/vision/results.ts'
import { summary } from '../../bench/vision/summary.ts'
import { ROOT } from '../cli/built.ts'

const text = (...path: readonly string[]): string => readFileSync(join(ROOT, ...path), 'utf8')
const results = JSON.parse(text('bench', 'results', 'vision.json')) as Results

it('the tables of the README are what the benchmark made of its run', () => {
  const tables = summary(results)
  expect(tables).toBeDefined()
  expect(text('README.md')).toContain(tables?.forms)
  expect(text('README.md')).toContain(tables?.promises)
})

it('the report of that run is what the benchmark writes', () => {
  expect(text('bench', 'results', 'vision.md')).toBe(markdown(results))
})

const storage = JSON.parse(text('bench', 'results', 'storage.json')) as StorageResults

it('the table of storage is what the benchmark made of its run', () => {
  expect(withSummary(text('README.md'), storage)).toBe(text('README.md'))
  expect(text('bench', 'results', 'storage.md')).toBe(storageMarkdown(storage))
})
