import { readdir, readFile, stat } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { formatBytes } from '../../../bytes.ts'
import { show } from '../../../checks.ts'
import { fromSystemError, HeadraceError } from '../../../errors.ts'
import type { Profile } from '../types.ts'
import { parseConfig } from './document.ts'
import type { MapNode } from './node.ts'
import { closest } from './suggestion.ts'

/** The largest published config has 17 KiB; a data set named by mistake is not read into memory. */
const MAX_BYTES = 8 * 2 ** 20

/** Published workloads, a folder a publisher: beside `src` and `dist` in the package. */
const PUBLISHED = fileURLToPath(new URL('../../../../workloads/', import.meta.url))

const PUBLISHERS: Readonly<Record<Profile, readonly string[]>> = {
  default: ['dlio', 'mlperf-v3', 'mlperf-v2', 'mlcommons-fork'],
  dlio: ['dlio', 'mlperf-v3', 'mlperf-v2', 'mlcommons-fork'],
  'mlperf-v2': ['mlperf-v2', 'dlio', 'mlperf-v3', 'mlcommons-fork'],
  'mlcommons-fork': ['mlperf-v3', 'mlcommons-fork', 'dlio', 'mlperf-v2'],
}

/** Names are paths below their folder: nothing outside it is read. */
const NAME = /^(?!\.)[\w@+-][\w.@+-]*(?:\/(?!\.)[\w@+-][\w.@+-]*)*$/

export interface ConfigText {
  readonly file: string
  readonly text: string
  readonly root: MapNode
}

export async function readConfigFile(file: string): Promise<ConfigText> {
  const details = { path: file }
  try {
    const found = await stat(file)
    if (!found.isFile()) throw new HeadraceError('E_CONFIG', `${file} is no file`, details)
    if (found.size > MAX_BYTES)
      throw new HeadraceError('E_LIMIT', `${file} has ${formatBytes(found.size)}, which is no config`, details)
    const text = await readFile(file, 'utf8')
    return { file, text, root: parseConfig(text, file) }
  } catch (error) {
    throw fromSystemError(error, `reading the config ${file}`, details)
  }
}

async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isFile(),
    () => false,
  )
}

/** Where configs are looked up: the user's folders, then the published ones. */
export class SearchPath {
  readonly #folders: readonly string[]
  readonly #profile: Profile

  constructor(folders: readonly string[], profile: Profile) {
    this.#folders = folders
    this.#profile = profile
  }

  /** Files that `GROUP/NAME` could be, in the order in which they count. */
  #candidates(group: string, name: string): { readonly file: string; readonly published: boolean }[] {
    const users = this.#folders.map((folder) => ({ file: join(folder, group, `${name}.yaml`), published: false }))
    if (group !== 'workload') return users
    const [first = ''] = name.split('/')
    const published = (PUBLISHERS[this.#profile].includes(first) ? [''] : PUBLISHERS[this.#profile]).map((folder) => ({
      file: join(PUBLISHED, folder, `${name}.yaml`),
      published: true,
    }))
    // Hydra looks into DLIO's own folder first.
    return this.#profile === 'default' ? [...users, ...published] : [...published, ...users]
  }

  /** The config `name` of `group`; '' for those that lie in a folder itself. */
  async read(
    group: string,
    name: string,
  ): Promise<{ readonly config: ConfigText; readonly hides: string | undefined }> {
    const plainName = name.replace(/\.ya?ml$/, '')
    const what = group === '' ? 'config' : group
    if (!NAME.test(plainName)) throw new HeadraceError('E_CONFIG', `${show(name)} is no name of a ${what}`)
    const there: { file: string; published: boolean }[] = []
    for (const candidate of this.#candidates(group, plainName)) if (await isFile(candidate.file)) there.push(candidate)
    const [found, ...others] = there
    if (found === undefined) throw await this.#missing(group, plainName, what)
    const hidden = others.find((other) => other.published !== found.published)
    return { config: await readConfigFile(found.file), hides: hidden?.file }
  }

  async #missing(group: string, name: string, what: string): Promise<HeadraceError> {
    const names = await this.names(group)
    const near = closest(name, names)
    const places =
      this.#folders.length === 0
        ? ''
        : ` in ${this.#folders.join(', ')}${group === 'workload' ? ' or among the published ones' : ''}`
    const hint =
      near !== undefined
        ? `did you mean ${near}?`
        : names.length > 0
          ? `there are ${names.join(', ')}`
          : '--config-dir names the folder that workload/NAME.yaml lies in'
    return new HeadraceError('E_NOT_FOUND', `there is no ${what} ${show(name)}${places}`, { hint })
  }

  /** All that can be named, sorted; published ones that another hides by their full names. */
  async names(group: string): Promise<string[]> {
    const names = new Set<string>()
    for (const folder of this.#folders) for (const name of await namesIn(join(folder, group))) names.add(name)
    if (group === 'workload')
      for (const folder of PUBLISHERS[this.#profile])
        for (const name of await namesIn(join(PUBLISHED, folder)))
          names.add(names.has(name) ? `${folder}/${name}` : name)
    return [...names].sort()
  }
}

async function namesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])
  return entries
    .filter((entry) => entry.isFile() && entry.name.endsWith('.yaml'))
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).replace(/\.yaml$/, ''))
}
