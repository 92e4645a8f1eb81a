import { show } from '../../../checks.ts'
import { HeadraceError } from '../../../errors.ts'
import { type ConfigNode, type Place, placeText, plain } from './node.ts'
import { isSecret } from './secrets.ts'

/** E_CONFIG, with where it stands before what is wrong. */
export function configError(place: Place | undefined, message: string, hint?: string, key?: string): HeadraceError {
  return new HeadraceError('E_CONFIG', place === undefined ? message : `${placeText(place)}: ${message}`, {
    ...(place?.file !== undefined && { path: place.file }),
    ...(key !== undefined && { key }),
    ...(hint !== undefined && { hint }),
  })
}

const KINDS = { list: 'a list', map: 'a map' } as const

/** The value for messages, cut where it is long. */
export function shown(node: ConfigNode, key = ''): string {
  if (isSecret(key)) return 'a value that is not shown'
  if (node.kind !== 'scalar') return KINDS[node.kind]
  const text = show(plain(node))
  return text.length > 80 ? `${text.slice(0, 77)}…` : text
}
