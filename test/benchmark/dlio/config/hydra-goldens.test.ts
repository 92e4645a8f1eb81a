// biome-ignore-all lint/suspicious/noTemplateCurlyInString: Hydra's interpolations
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { composed } from '../../../../src/benchmark/dlio/config/compose.ts'
import { type ConfigNode, plain } from '../../../../src/benchmark/dlio/config/node.ts'
import { type Override, parseOverride } from '../../../../src/benchmark/dlio/config/overrides.ts'
import { isHeadraceError } from '../../../../src/errors.ts'
import { HYDRA } from '../goldens.ts'

/** Texts that Hydra refuses and that are taken here as what they are. */
const WIDER = [
  's3://b/k?x=1',
  '{"a b": 1}',
  '{"a:b":1}',
  'a=b',
  'a=b=c',
  'a#b',
  '#a',
  'a!b',
  'a&b',
  'a<b',
  'a;b',
  '~a',
  '~/data',
  'a~b',
  'é',
  '${a:{b}}',
]

function shown(node: ConfigNode): unknown {
  if (node.kind === 'list') return node.items.map(shown)
  if (node.kind === 'map') return Object.fromEntries([...node.entries].map(([key, value]) => [key, shown(value)]))
  const { value, float } = node
  if (float !== true) return value
  return { float: Number.isFinite(value) ? value : String(value).toLowerCase().replace('infinity', 'inf') }
}

function tried(text: string): Override | 'error' | 'sweep' {
  try {
    return parseOverride(text)
  } catch (error) {
    return String(error).includes('several values') ? 'sweep' : 'error'
  }
}

describe('overrides are read as by the real Hydra', () => {
  test.each(HYDRA.values)('a=%s', (text, kind, value) => {
    const found = tried(`a=${String(text)}`)
    if (kind !== 'value') {
      if (kind !== 'error' || !WIDER.includes(String(text))) expect(found).toBe(kind)
      return
    }
    expect(typeof found === 'object' && found.value?.kind === 'value' && shown(found.value.node)).toEqual(value)
  })

  test.each(HYDRA.keys)('%s', (text, key) => {
    const found = tried(text)
    expect(typeof found === 'string' ? null : found.key).toBe(key)
  })
})

/** Hydra finds neither an item to delete nor a null. */
const DELETES = ['~workload.list.0', '~workload.model.type']

describe('configs are composed as by the real Hydra', () => {
  let configDir: string
  beforeAll(async () => {
    configDir = await mkdtemp(join(tmpdir(), 'headrace-hydra-goldens-'))
    await mkdir(join(configDir, 'workload'))
    for (const [name, text] of Object.entries(HYDRA.workloads))
      await writeFile(join(configDir, 'workload', `${name}.yaml`), text)
    await writeFile(join(configDir, 'config.yaml'), 'defaults:\n  - _self_\n  - workload: w\n')
  })
  afterAll(() => rm(configDir, { recursive: true, force: true }))

  test.each(HYDRA.composed)('%j', async (overrides, tree) => {
    const found = await composed({ overrides, configDir, configName: 'config' }, 'default').then(
      ({ root }) => plain(root),
      (error: unknown) => {
        if (isHeadraceError(error)) return 'error'
        throw error
      },
    )
    if (!DELETES.some((text) => overrides.includes(text))) expect(found).toEqual(tree)
  })
})
