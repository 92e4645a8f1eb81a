import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { howToInstall, PACKAGES } from '../system-packages.mjs'
import { run } from './command.mjs'
import { counted, parseCounts, single, skipped } from './report.mjs'

/** The C++ tests, and a short run of the fuzzers. */

const make = ['make', '--no-print-directory', `-j${availableParallelism()}`, '-C']

export const nativeTests = {
  name: 'native tests',
  run: async () => {
    const outcome = await run([...make, 'native/test', 'test'])
    return counted(outcome, parseCounts(outcome.output))
  },
}

async function hasLibFuzzer() {
  const folder = await mkdtemp(join(tmpdir(), 'headrace-probe-'))
  try {
    const source = join(folder, 'probe.cc')
    await writeFile(
      source,
      '#include <cstdint>\n#include <cstddef>\nextern "C" int LLVMFuzzerTestOneInput(const uint8_t*, size_t) { return 0; }\n',
    )
    const { ok } = await run(['clang++', '-fsanitize=fuzzer,address', source, '-o', join(folder, 'probe')])
    return ok
  } finally {
    await rm(folder, { recursive: true })
  }
}

export const fuzzers = {
  name: 'fuzzers',
  run: async () => {
    if (!(await hasLibFuzzer())) return skipped(howToInstall(PACKAGES.clang).replace(/\n\s*/g, ' '))
    const outcome = await run([...make, 'native/fuzz', 'short'])
    const counts = parseCounts(outcome.output)
    return counts === undefined ? single(outcome) : counted(outcome, counts)
  },
}
