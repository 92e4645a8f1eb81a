/** Imports point one way only, from the top row down; folders of one row do not know each other. */
const rows = [
  ['cli', 'bridge', 'dev'],
  ['benchmark'],
  ['vision', 'checkpoint'],
  ['generate', 'loader'],
  ['datasets', 'sampling'],
  ['formats'],
  ['storage'],
]

/** Commands start what stands beside them; what splits and mixes samples draws as samplers do. */
const besides = { cli: ['bridge', 'dev'], datasets: ['sampling'] }

/** The folders that touch memory, files or pixels themselves. */
const nativeUsers = ['storage', 'formats', 'generate', 'vision', 'loader', 'benchmark/dlio', 'bridge']

const folder = (...names) => `^src/(${names.join('|')})/`
const noun = '^src/(?!index\\.ts$|native\\.ts$)[^/]+\\.ts$'

const layers = rows.flatMap((row, level) =>
  row.map((name) => {
    const allowed = [name, ...(besides[name] ?? [])]
    const refused = rows
      .slice(0, level + 1)
      .flat()
      .filter((other) => !allowed.includes(other))
    return {
      name: `layer-${name}`,
      comment: `${name} may not import ${refused.join(', ')}`,
      severity: 'error',
      from: { path: folder(name) },
      to: { path: folder(...refused) },
    }
  }),
)

module.exports = {
  forbidden: [
    ...layers.filter((rule) => rule.to.path !== folder()),
    {
      name: 'every-folder-has-a-row',
      comment: 'a new folder of src needs its place in the rows above',
      severity: 'error',
      from: { path: '^src/[^/]+/', pathNot: folder(...rows.flat(), 'distributed') },
      to: {},
    },
    {
      name: 'nobody-imports-cli',
      severity: 'error',
      from: { pathNot: folder('cli') },
      to: { path: folder('cli') },
    },
    {
      name: 'surface-is-for-outsiders',
      comment: 'only cli, which is a user of the package, may import src/index.ts',
      severity: 'error',
      from: { path: '^src/', pathNot: folder('cli') },
      to: { path: '^src/index\\.ts$' },
    },
    {
      name: 'dev-imports-storage-only',
      severity: 'error',
      from: { path: folder('dev') },
      to: { path: '^src/', pathNot: [folder('dev', 'storage', 'distributed'), noun] },
    },
    {
      name: 'native-users',
      comment: `only ${nativeUsers.join(', ')} may import src/native.ts`,
      severity: 'error',
      from: { pathNot: [folder(...nativeUsers), '^src/index\\.ts$'] },
      to: { path: '^src/native\\.ts$' },
    },
    {
      name: 'ground-floor',
      comment: 'src/native.ts, the nouns beside it and distributed import nothing above themselves',
      severity: 'error',
      from: { path: ['^src/native\\.ts$', noun, folder('distributed')] },
      to: { path: '^src/', pathNot: [noun, folder('distributed')] },
    },
    {
      name: 'no-cycles',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'no-orphans',
      comment: 'a file that neither imports nor is imported',
      severity: 'error',
      from: { orphan: true },
      to: {},
    },
    {
      name: 'src-stands-alone',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^(test|bench|examples|scripts|build|dist)/' },
    },
    {
      name: 'only-declared-packages',
      comment: 'what src imports stands in dependencies',
      severity: 'error',
      from: { path: '^src/' },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'] },
    },
    {
      name: 'resolvable',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsConfig: { fileName: 'tsconfig.json' },
    // Types point the same way as code.
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'types', 'node', 'default'] },
  },
}
