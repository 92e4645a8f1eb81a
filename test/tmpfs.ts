import { execFileSync } from 'node:child_process'
import { tmpdir } from 'node:os'

/** Whether a test may mount a small file system, in a mount namespace of its own. */
export function canMount(): boolean {
  try {
    execFileSync('unshare', ['-rm', 'mount', '-t', 'tmpfs', 'none', tmpdir()], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
