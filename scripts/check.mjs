import { checks } from './runners/checks.mjs'
import { report } from './runners/report.mjs'

/** `make check`: everything that needs no more than the build. */
await report(checks)
