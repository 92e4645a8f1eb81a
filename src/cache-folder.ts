import { homedir } from 'node:os'
import { join } from 'node:path'

/** Where what can be made again is kept: $HEADRACE_CACHE_DIR, or headrace's place in the platform's cache folder. */
export function cacheFolder(): string {
  const { HEADRACE_CACHE_DIR: named, XDG_CACHE_HOME: xdg } = process.env
  if (named !== undefined && named !== '') return named
  if (process.platform === 'darwin') return join(homedir(), 'Library/Caches/headrace')
  // The XDG specification has relative paths ignored.
  return join(xdg?.startsWith('/') ? xdg : join(homedir(), '.cache'), 'headrace')
}
