import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join, posix } from 'node:path'
import { expect, it } from 'vitest'
import { ROOT } from '../cli/built.ts'

interface Packed {
  readonly files: readonly { readonly path: string }[]
}

const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  readonly version: string
  readonly scripts: Readonly<Record<string, string>>
}

it('the package has all that its README links to', () => {
  const text = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { cwd: ROOT, encoding: 'utf8' })
  const [{ files }] = JSON.parse(text) as [Packed]
  const packed = new Set(files.map(({ path }) => path))
  for (const page of ['README.md', 'docs/vision.md', 'docs/vision-awkward.md']) {
    const folder = page.includes('/') ? 'docs/' : ''
    const links = [...readFileSync(join(ROOT, page), 'utf8').matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)].map(
      ([, to]) => to,
    )
    for (const to of links) expect(packed, page).toContain(posix.normalize(`${folder}${to}`))
  }
})

it('the package cannot be made without its code: it is compiled when it is packed, and when it is installed by git', () => {
  expect(manifest.scripts).toMatchObject({ prepack: 'make dist/index.js', prepare: 'npm run build' })
})

it('README installs the version that is packed', () => {
  expect(readFileSync(join(ROOT, 'README.md'), 'utf8')).toContain(`npm install ./headrace-${manifest.version}.tgz`)
})
