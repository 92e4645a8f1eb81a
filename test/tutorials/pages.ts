import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ROOT } from '../cli/built.ts'

/** A block of code of a page. */
export interface CodeBlock {
  /** `sh`: commands to be run. Others are programs, whose first line is a comment with the file's name. */
  readonly language: string
  readonly text: string
}

/** The blocks of a tutorial that say their language, in order. */
export async function codeOf(page: string): Promise<readonly CodeBlock[]> {
  const text = await readFile(join(ROOT, 'docs/tutorials', page), 'utf8')
  return [...text.matchAll(/^```(\w+)\n(.*?)^```$/gms)].map(([, language = '', block = '']) => ({
    language,
    text: block,
  }))
}
