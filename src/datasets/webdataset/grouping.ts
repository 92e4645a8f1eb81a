import { HeadraceError } from '../../errors.ts'
import { corrupt } from '../../formats/layout.ts'
import type { TarMember } from '../../formats/tar/members.ts'

/** A sample of a shard: members that follow each other and have one name up to the first dot of its last part. */
export interface Group {
  readonly key: string
  /** By extension in lower case. */
  readonly members: ReadonlyMap<string, TarMember>
}

/** Key and extension, as the library webdataset cuts them. */
const NAME = /^((?:.*\/|)[^.]+)[.]([^/]*)$/s
/** What webdataset keeps for itself. */
const META = /^__[^/]*__(?:$|\/)/
/** Fields that a sample may have. */
const MOST_FIELDS = 1024

/** Groups members into samples. Files without an extension are passed over. E_CORRUPT where a sample has two of one. */
export async function* groupMembers(members: AsyncIterable<TarMember>, file: string): AsyncGenerator<Group> {
  let key: string | undefined
  let group = new Map<string, TarMember>()
  for await (const member of members) {
    const [, prefix, extension] = META.test(member.name) ? [] : (NAME.exec(member.name) ?? [])
    if (prefix === undefined || extension === undefined) continue
    if (prefix !== key) {
      if (key !== undefined) yield { key, members: group }
      key = prefix
      group = new Map()
    }
    const name = extension.toLowerCase()
    if (group.has(name))
      throw corrupt(file, `sample ${JSON.stringify(key)} has two files .${name}`, { offset: member.offset })
    group.set(name, member)
    if (group.size > MOST_FIELDS)
      throw new HeadraceError('E_LIMIT', `${file}: sample ${JSON.stringify(key)} has more than ${MOST_FIELDS} files`, {
        path: file,
      })
  }
  if (key !== undefined) yield { key, members: group }
}
