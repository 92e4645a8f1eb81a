import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { type CheckpointFile, saveCheckpoint } from '../../src/checkpoint/index.ts'
import { absent, pythonWith, runJson } from './python.ts'

const tensorflow = pythonWith('numpy', 'tensorflow')
const folder = mkdtempSync(join(tmpdir(), 'headrace-checkpoints-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe(`TensorFlow and our checkpoints${tensorflow === undefined ? ` ${absent('numpy', 'tensorflow')}` : ''}`, () => {
  it.skipIf(tensorflow === undefined)('it reads the tensors that we write, and knows the last one', async () => {
    const types = [
      ['fp16', 'float16', 2],
      ['bf16', 'bfloat16', 2],
      ['fp32', 'float32', 4],
      ['fp64', 'float64', 8],
      ['int8', 'int8', 1],
      ['uint8', 'uint8', 1],
    ] as const
    const tensors = types.flatMap(([dtype], i) =>
      [0, 1, 2].map((layer) => ({ name: `${layer}.${i}`, shape: [1000 + 7 * i], dtype })),
    )
    const sizes = tensors.map(
      ({ shape, dtype }) => (shape[0] ?? 0) * (types.find(([name]) => name === dtype)?.[2] ?? 0),
    )
    const bytes = sizes.reduce((sum, size) => sum + size, 0)
    const file: CheckpointFile = { key: 'model.pb-1.data-00000-of-00001', tensors, bytes, layout: 'bundle' }
    await saveCheckpoint({ url: folder, files: [file] })
    const told = (await runJson(tensorflow ?? '', 'checkpoints.py', join(folder, 'model.pb-1'))) as {
      latest: string
      tensors: Record<string, unknown>
    }
    expect(told.latest).toBe(join(folder, 'model.pb-1'))
    const data = readFileSync(join(folder, file.key))
    let at = 0
    const wanted = tensors.map(({ name, shape, dtype }, i) => {
      const digest = createHash('sha256')
        .update(data.subarray(at, at + (sizes[i] ?? 0)))
        .digest('hex')
      at += sizes[i] ?? 0
      return [`${name}/.ATTRIBUTES/VARIABLE_VALUE`, [shape, types.find(([of]) => of === dtype)?.[1], digest]]
    })
    expect(told.tensors).toEqual(Object.fromEntries(wanted))
  })
})
