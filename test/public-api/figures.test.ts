import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
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
