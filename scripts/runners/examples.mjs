import { mkdir, readlink, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { root, run } from './command.mjs'
import { single } from './report.mjs'

/** The examples, compiled against the built package and run. TensorFlow.js lies in examples/node_modules. */

/** The compiled examples find what examples/package.json names as the sources do. */
async function linkPackages() {
  const link = join(root, 'build', 'examples', 'node_modules')
  await mkdir(join(root, 'build', 'examples'), { recursive: true })
  if ((await readlink(link).catch(() => undefined)) === undefined)
    await symlink(join('..', '..', 'examples', 'node_modules'), link)
}

/** @param {string} name @returns {import('./report.mjs').Runner} */
function example(name) {
  return {
    name: `example ${name}`,
    run: async () => single(await run([process.execPath, join('build', 'examples', `${name}.js`)])),
  }
}

export const examples = [
  {
    name: 'example types',
    run: async () => {
      await linkPackages()
      return single(await run(['tsc', '-p', 'examples', '--noEmit']))
    },
  },
  example('demo'),
  example('train-tfjs'),
]
