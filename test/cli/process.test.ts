import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makePhotos } from '../../examples/make-photos.ts'
import { PHOTOS, type PhotoCache, photoCache } from '../loader/photo-cache.ts'
import { built, headrace, shell, spawnHeadrace } from './built.ts'

let photos: PhotoCache
beforeAll(async () => {
  photos = await photoCache(12, 64)
  await built()
})
afterAll(() => photos.remove())

describe('usage errors end with 2, say what is wrong on stderr and print nothing on stdout', () => {
  it.each([
    [['cache', 'build', 'a'], "missing required argument 'destination'"],
    [['cache', 'built'], "unknown command 'built'"],
    [['help', 'cache', 'built'], "unknown command 'built'"],
    [['cache', 'help', 'build'], "unknown command 'help'"],
    [['preview', 'c', '--out', 'sheet.jpg'], 'It must end in .png.'],
    [['cache', 'build', 'a', 'b', '--qualty', '90'], "unknown option '--qualty'"],
    [['cache', 'build', 'a', 'b', '--workers', '0'], 'It must be a positive integer.'],
    [['cache', 'build', 'a', 'b', '--max-side', '12.5'], 'It must be a positive integer.'],
    [['cache', 'build', 'a', 'b', '--on-error', 'ignore'], 'Allowed choices are throw, skip.'],
    [['cache', 'build', 'a', 'b', '--encoding', 'png'], 'Allowed choices are jpeg, dct, yuv420.'],
    [['cache', 'advise'], "missing required argument 'source'"],
    [['cache', 'advise', 'a', '--samples', '0'], 'It must be a positive integer.'],
    [['bench', 'vision', 'c'], "required option '--pipeline <name>' or '--protocol <name>' not specified"],
    [['bench', 'vision', 'c', '--protocol', 'ffcv'], 'Allowed choices are slipstream.'],
    [['bench', 'vision', 'c', '--pipeline', 'rcc'], 'Allowed choices are'],
    [['bench', 'vision', 'c', '--pipeline', 'rrc', '--batch', 'many'], 'It must be a positive integer.'],
    [['bench', 'vision', 'c', '--pipeline', 'rrc', '--dtype', 'int8'], 'Allowed choices are uint8, float16, float32.'],
    [['bench', 'vision', 'c', '--pipeline', 'center', '--ratio', '1.5'], 'It must be a number above 0, up to 1.'],
    [['preview', 'c'], "required option '--out <file>' not specified"],
    [['preview', 'c', '--out', 'x.png', '--pipeline', 'raw'], 'Allowed choices are'],
    [['plan', 'c', '--seed', '-1'], 'It must be an integer of 0 or more.'],
    [['plan', 'c', '--step', '0x10'], 'It must be an integer of 0 or more.'],
    [['plan', 'c', '--seed', '9007199254740993'], 'It must be an integer of 0 or more.'],
  ] as const)('%j', async (args, message) => {
    const { code, stdout, stderr } = await headrace(...args)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toContain(message)
    expect(stderr).toMatch(/^headrace: [^\n]+ \[E_USAGE\]\nhint: [^\n]*--help tells what there is\n$/)
  })

  it('also where the library finds them', async () => {
    const { code, stderr } = await headrace('plan', photos.path, '--batch', '4', '--step', '3')
    expect(code).toBe(2)
    expect(stderr).toBe('headrace: --step 3: the epoch has 3 steps, 0 to 2 [E_USAGE]\n')
  })
})

it('names of choices may be in upper case', async () => {
  const args = ['--pipeline', 'RRC', '--layout', 'NCHW', '--dtype', 'UINT8', '--epochs', '1', '--json']
  const { code, stdout } = await headrace('bench', 'vision', photos.path, ...args)
  expect(code).toBe(0)
  expect(JSON.parse(stdout)).toMatchObject({ pipeline: 'rrc', layout: 'NCHW', dtype: 'uint8' })
})

it('a misspelt command is told which one it may be', async () => {
  expect((await headrace('cache', 'buld')).stderr).toBe(
    "headrace: unknown command 'buld' [E_USAGE]\nhint: did you mean build? --help tells what there is\n",
  )
})

describe('failures end with 1', () => {
  it.each([
    ['cache', 'info', '/nowhere/at.all'],
    ['cache', 'verify', '/nowhere/at.all'],
    ['cache', 'advise', '/nowhere/at.all'],
    ['bench', 'vision', '/nowhere/at.all', '--pipeline', 'rrc'],
    ['bench', 'vision', '/nowhere/at.all', '--protocol', 'slipstream'],
    ['plan', '/nowhere/at.all'],
    ['preview', '/nowhere/at.all', '--out', '/tmp/never.png'],
    ['cache', 'build', '/nowhere/at.all', '/tmp/never.cache'],
  ])('%s %s %s: one line without a stack names what is missing', async (...args) => {
    const { code, stdout, stderr } = await headrace(...args)
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    const [first = '', ...rest] = stderr.trimEnd().split('\n')
    expect(first).toMatch(/^headrace: .*\/nowhere\/at\.all.* \[E_NOT_FOUND\]$/)
    expect(rest.every((line) => line.startsWith('hint: '))).toBe(true)
    expect(stderr).not.toMatch(/^ +at /m)
  })

  it.each([
    ['-v', 'cache', 'info', '/nowhere/at.all'],
    ['--verbose', 'plan', '/nowhere/at.all'],
  ])('%s shows the stack', async (...args) => {
    const { code, stderr } = await headrace(...args)
    expect(code).toBe(1)
    expect(stderr).toMatch(/^HeadraceError: .*\n +at /m)
  })
})

describe('help and version', () => {
  it('go to stdout and end with 0', async () => {
    const help = await headrace('--help')
    expect(help).toMatchObject({ code: 0, stderr: '' })
    for (const command of ['cache', 'bench', 'preview', 'plan']) expect(help.stdout).toContain(`\n  ${command} `)
    expect(await headrace('--version')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
      stderr: '',
    })
  })

  it.each([
    ['cache', 'build'],
    ['cache', 'info'],
    ['cache', 'verify'],
    ['cache', 'advise'],
    ['bench', 'vision'],
    ['preview'],
    ['plan'],
  ])('%s %s has an example', async (...command) => {
    const { code, stdout } = await headrace(...command, '--help')
    expect(code).toBe(0)
    expect(stdout).toContain(`Example:\n  headrace ${command.join(' ')} `)
  })
})

describe('help of a command', () => {
  it.each([['cache', 'build'], ['bench', 'vision'], ['plan']])('help %s %s is its --help', async (...command) => {
    const help = await headrace('help', ...command)
    expect(help).toEqual(await headrace(...command, '--help'))
    expect(help.code).toBe(0)
  })

  it.each([
    ['bench vision', ['raw', 'decode', 'rrc', 'center', 'crop', 'resize-center', 'train']],
    ['plan', ['raw', 'decode', 'rrc', 'center', 'crop', 'resize-center', 'train']],
    ['preview', ['rrc', 'center', 'crop', 'resize-center', 'train']],
  ] as const)('%s explains every pipeline', async (command, names) => {
    const { stdout } = await headrace(...command.split(' '), '--help')
    const [, lines = ''] = /\nPipelines:\n((?: {2}.+\n)+)/.exec(stdout) ?? []
    expect(lines.match(/^ {2}\S+/gm)?.map((name) => name.trim())).toEqual([...names])
  })

  it('marks what is required and shows defaults the same way everywhere', async () => {
    const text = async (...command: string[]) => (await headrace(...command, '--help')).stdout.replace(/\s+/g, ' ')
    expect(await text('bench', 'vision')).toContain('this or --protocol is required (choices: raw, decode')
    expect(await text('bench', 'vision')).toContain('images a batch (default: 256)')
    expect(await text('preview')).toContain('PNG file to write (required)')
    expect(await text('plan')).toContain('train) (default: train)')
    expect(await text('cache', 'build')).toContain('anew (default: 95)')
  })
})

describe('what cannot even start or print', () => {
  it('without the addon is one line and a hint', async () => {
    // Makes node-gyp-build look for prebuilt addons only, which a clone does not have.
    const { code, stdout, stderr } = await shell(`PREBUILDS_ONLY=1 HEADRACE cache info ${photos.path}`)
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toMatch(/^headrace: the native addon does not load: .* \[E_UNSUPPORTED\]\nhint: .*\n$/)
  })

  it('without the addon still has help and a version', async () => {
    for (const flag of ['--help', '--version', 'cache build --help'])
      expect(await shell(`PREBUILDS_ONLY=1 HEADRACE ${flag}`)).toMatchObject({ code: 0, stderr: '' })
  })

  it('with an instruction set that is none says so, and not that the addon is missing', async () => {
    const { code, stderr } = await shell(`env HEAD''RACE_SIMD=mmx HEADRACE cache info ${photos.path}`)
    expect(code).toBe(1)
    expect(stderr).toMatch(/^headrace: HEADRACE_SIMD must be scalar, .* but got "mmx" \[E_CONFIG\]\nhint: leave .*\n$/)
  })

  it.runIf(process.platform === 'linux')('onto a full disk is one line and a hint', async () => {
    const { code, stderr } = await shell(`HEADRACE cache info ${photos.path} > /dev/full`)
    expect(code).toBe(1)
    expect(stderr).toMatch(/^headrace: writing to stdout: ENOSPC.* \[E_NO_SPACE\]\nhint: .*\n$/)
  })
})

describe('a reader that has enough', () => {
  it('is no failure and no noise', async () => {
    const { code, stdout, stderr } = await shell(`HEADRACE plan ${photos.path} --batch 12 --json | head -n 1`)
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: '{\n', stderr: '' })
  })
})

describe('Ctrl-C', () => {
  it('during a build ends with 130, leaves no cache, and the next build goes on and gives the same bytes', async () => {
    const source = join(photos.folder, 'many')
    const target = join(photos.folder, 'many.cache')
    await makePhotos(PHOTOS, source, { count: 160, shortSide: 300, quality: 90, seed: 2 })
    const build = ['cache', 'build', source, target, '--max-side', '200', '--workers', '1'] as const
    const child = spawnHeadrace(...build, '--json', '--progress')
    let stderr = ''
    let stdout = ''
    child.stdout.on('data', (data) => {
      stdout += data
    })
    child.stderr.on('data', (data) => {
      stderr += data
      // A tenth is done.
      if (/ [1-9]\d%/.test(stderr) && !child.killed) child.kill('SIGINT')
    })
    const [code] = (await once(child, 'close')) as [number]
    expect({ code, stdout }).toEqual({ code: 130, stdout: '' })
    expect(stderr).toMatch(/headrace: interrupted\nhint: the same command goes on where it stopped\n$/)
    expect(existsSync(target)).toBe(false)

    const { code: done, stdout: report } = await headrace(...build, '--json')
    expect(done).toBe(0)
    expect(JSON.parse(report).images).toBe(160)
    expect(JSON.parse(report).resumedAt).toBeGreaterThan(0)
    await headrace('cache', 'build', source, `${target}-2`, '--max-side', '200', '--json')
    expect((await shell(`diff -r ${target} ${target}-2 && echo same`)).stdout).toBe('same\n')
    expect((await readdir(photos.folder)).sort()).toEqual([
      'many',
      'many.cache',
      'many.cache-2',
      'photos',
      'photos.cache',
    ])
  })

  it('during a benchmark ends with 130 too', async () => {
    const child = spawnHeadrace(
      'bench',
      'vision',
      photos.path,
      '--pipeline',
      'rrc',
      '--epochs',
      '1000000',
      '--progress',
    )
    child.stderr.once('data', () => child.kill('SIGINT'))
    const [code] = (await once(child, 'close')) as [number]
    expect(code).toBe(130)
  })
})
