import { exactness } from './exactness.mjs'
import { fuzzers, nativeTests } from './native.mjs'
import { staticChecks } from './static.mjs'
import { vitest } from './vitest.mjs'

export const checks = [...staticChecks, nativeTests, exactness, fuzzers, vitest]
