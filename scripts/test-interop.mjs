import { interopLibraries } from './runners/interop.mjs'
import { report } from './runners/report.mjs'
import { testsOf } from './runners/vitest.mjs'

/** `make test-interop`: our files in the libraries that they are made for, and theirs here, once those are installed. */
await report([interopLibraries, testsOf('interop', ['test/interop'])])
