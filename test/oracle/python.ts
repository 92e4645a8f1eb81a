import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const python = fileURLToPath(new URL('.venv/bin/python', import.meta.url))

/** What the name of a skipped test says. */
export const NO_BOTO = '(test/oracle/.venv with requirements.txt installed has boto3)'
export const hasBoto = existsSync(python)

/** A script of this folder, to its end: what it printed, and on failure its last words. */
export function runPython(script: string, ...args: readonly string[]): Promise<string> {
  const file = fileURLToPath(new URL(script, import.meta.url))
  return new Promise((resolve) => {
    execFile(python, [file, ...args], (error, stdout, stderr) => {
      resolve(error === null ? stdout : `${stdout}${stderr.trim().split('\n').slice(-3).join('\n')}`)
    })
  })
}
