import fs from 'node:fs'
import { join } from 'node:path'
import { fromSystemError, HeadraceError } from '../../../errors.ts'

/** Folders of this process's own servers. */
const held = new Set<string>()

/** When a process began, in the kernel's words; undefined where it is not alive. Tells it from a later one of its number. */
function beginning(pid: number): string | undefined {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
  } catch {
    try {
      process.kill(pid, 0)
      return '?'
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === 'EPERM' ? '?' : undefined
    }
  }
}

/** Keeps other servers out of a folder until the returned function is called. E_STATE where one is in it. */
export function lockFolder(folder: string): () => void {
  const path = join(folder, 'server.pid')
  const mine = `${process.pid} ${beginning(process.pid) ?? '?'}\n`
  for (let attempt = 0; ; attempt++) {
    try {
      fs.writeFileSync(path, mine, { flag: 'wx', mode: 0o600 })
      break
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || attempt === 3)
        throw fromSystemError(error, `cannot write ${path}`, { path })
    }
    const [pid = '', since = ''] = readOwner(path).split(' ')
    const alive = held.has(path) || (Number(pid) !== process.pid && beginning(Number(pid)) === since)
    if (alive)
      throw new HeadraceError('E_STATE', `${folder} is in use by the server of process ${pid}`, {
        path: folder,
        hint: 'one server for one folder: end that one, or name another folder',
      })
    fs.rmSync(path, { force: true })
  }
  held.add(path)
  return () => {
    held.delete(path)
    fs.rmSync(path, { force: true })
  }
}

function readOwner(path: string): string {
  try {
    return fs.readFileSync(path, 'utf8').trim()
  } catch {
    return ''
  }
}
