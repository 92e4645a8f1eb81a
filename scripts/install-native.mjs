import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { availableParallelism, tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { howToInstall, installAsRoot, PACKAGES } from './system-packages.mjs'

/**
 * Makes the addon: npm's `install` script, in a clone and for those who depend on the package.
 * A prebuilt addon for this platform is taken as it is (npm_config_build_from_source=true compiles all the same).
 * --install-packages: what the compiler needs is installed where this may be done unasked (root, apt-get or dnf).
 */

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const require = createRequire(import.meta.url)
const addon = join(root, 'build', 'Release', 'headrace.node')

/** @param {string} message @returns {never} */
function fail(message) {
  console.error(`headrace: ${message}`)
  process.exit(1)
}

/** @param {string} command */
function words(command) {
  return command.split(/\s+/).filter((word) => word !== '')
}

function findPrebuilt() {
  process.env.PREBUILDS_ONLY = '1'
  try {
    return require('node-gyp-build').path(root)
  } catch {
    return undefined
  } finally {
    delete process.env.PREBUILDS_ONLY
  }
}

/** Why the addon at `path` does not load; undefined where it does. In a process of its own: it may crash. */
function whyItDoesNotLoad(path) {
  const loading = spawnSync(process.execPath, ['-e', 'require(process.argv[1])', path], { encoding: 'utf8' })
  if (loading.status === 0) return undefined
  const lines = loading.stderr.split('\n')
  return (
    lines.find((line) => /^\w*Error: /.test(line)) ?? `it ended with ${loading.signal ?? `exit code ${loading.status}`}`
  )
}

/** @returns {string[]} */
function filesBelow(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    return entry.isDirectory() ? filesBelow(path) : [path]
  })
}

function isUpToDate() {
  if (!existsSync(addon)) return false
  const built = statSync(addon).mtimeMs
  const sources = [
    join(root, 'binding.gyp'),
    ...['src', 'dct', 'kernels'].flatMap((name) => filesBelow(join(root, 'native', name))),
  ]
  return sources.every((path) => statSync(path).mtimeMs <= built) && whyItDoesNotLoad(addon) === undefined
}

/** Where Homebrew keeps its keg-only libjpeg-turbo; nothing on other systems. */
function homebrewFlags() {
  if (process.platform !== 'darwin') return { include: [], link: [] }
  try {
    const prefix = execFileSync('brew', ['--prefix', 'jpeg-turbo'], { encoding: 'utf8' }).trim()
    return { include: [`-I${prefix}/include`], link: [`-L${prefix}/lib`] }
  } catch {
    return { include: [], link: [] }
  }
}

function findCompiler() {
  const candidates = process.env.CXX ? [process.env.CXX] : ['g++', 'c++', 'clang++']
  return candidates.find((candidate) => {
    const [command = '', ...args] = words(candidate)
    return spawnSync(command, [...args, '--version']).status === 0
  })
}

const PROBES = {
  compiler: '#include <span>\n#if __cplusplus < 202002L\n#error C++20\n#endif\n',
  jpeg: '#include <cstdio>\n#include <jpeglib.h>\n#ifndef LIBJPEG_TURBO_VERSION\n#error not libjpeg-turbo\n#endif\n',
}

/** @param {string} compiler @param {readonly string[]} flags @param {string} source */
function preprocesses(compiler, flags, source) {
  const folder = mkdtempSync(join(tmpdir(), 'headrace-probe-'))
  try {
    const file = join(folder, 'probe.cc')
    writeFileSync(file, source)
    const [command = '', ...args] = words(compiler)
    return spawnSync(command, [...args, '-std=c++20', ...flags, '-E', file]).status === 0
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** The packages that compiling needs and this system lacks. */
function missingPackages() {
  const compiler = findCompiler()
  const flags = [...words(process.env.CPPFLAGS ?? ''), ...words(process.env.CXXFLAGS ?? ''), ...homebrewFlags().include]
  const missing = []
  if (spawnSync(process.env.MAKE ?? 'make', ['--version']).status !== 0) missing.push(PACKAGES.make)
  if (spawnSync(process.env.PYTHON ?? 'python3', ['--version']).status !== 0) missing.push(PACKAGES.python)
  if (compiler === undefined || !preprocesses(compiler, flags, PROBES.compiler)) missing.push(PACKAGES.compiler)
  // Without a compiler nobody can tell; asking for both at once saves a round.
  if (compiler === undefined || !preprocesses(compiler, flags, PROBES.jpeg)) missing.push(PACKAGES.jpeg)
  return missing
}

/** node-gyp as a command line: ours in a clone, the one that npm brings elsewhere. */
function nodeGyp() {
  try {
    return [process.execPath, require.resolve('node-gyp/bin/node-gyp.js')]
  } catch {}
  if (process.env.npm_config_node_gyp) return [process.execPath, process.env.npm_config_node_gyp]
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    if (existsSync(join(folder, 'node-gyp'))) return [join(folder, 'node-gyp')]
  }
  return fail('node-gyp is not to be found; install the package with npm, which brings it')
}

/** Node's own headers, so that nothing is downloaded. What the user configured wins. */
function headerOptions() {
  if (process.env.npm_config_nodedir) return []
  const prefix = dirname(dirname(process.execPath))
  const found = ['node_api.h', 'common.gypi'].every((name) => existsSync(join(prefix, 'include', 'node', name)))
  if (found) return [`--nodedir=${prefix}`]
  console.error(`headrace: Node's headers are not in ${join(prefix, 'include', 'node')}: node-gyp downloads them`)
  return []
}

function compile() {
  const homebrew = homebrewFlags()
  const [command = '', ...args] = nodeGyp()
  // npm_config_* and the like must reach node-gyp; a job server of an outer make must not.
  const { MAKEFLAGS, MFLAGS, MAKELEVEL, ...environment } = process.env
  const started = Date.now()
  console.error(`headrace: compiling the addon on ${availableParallelism()} cores`)
  const building = spawnSync(command, [...args, 'configure', 'build', '--release', ...headerOptions()], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    env: {
      ...environment,
      MAKEFLAGS: `-j${availableParallelism()}`,
      CXX: findCompiler(),
      CXXFLAGS: [...words(process.env.CXXFLAGS ?? ''), ...homebrew.include].join(' '),
      LDFLAGS: [...words(process.env.LDFLAGS ?? ''), ...homebrew.link].join(' '),
    },
  })
  if (building.status !== 0) {
    console.error(building.stdout, building.stderr)
    fail('the addon could not be built; node-gyp says above why')
  }
  const reason = whyItDoesNotLoad(addon)
  if (reason !== undefined) fail(`the addon was compiled but does not load: ${reason}`)
  console.error(`headrace: compiled the addon in ${((Date.now() - started) / 1000).toFixed(0)} s`)
}

if (process.env.npm_config_build_from_source !== 'true') {
  const prebuilt = findPrebuilt()
  if (prebuilt !== undefined && whyItDoesNotLoad(prebuilt) === undefined) process.exit(0)
}
if (isUpToDate()) process.exit(0)

if (process.argv.includes('--install-packages')) missingPackages().forEach(installAsRoot)
const missing = missingPackages()
if (missing.length > 0) fail(missing.map(howToInstall).join('\n'))
compile()
