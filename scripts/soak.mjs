import { report } from './runners/report.mjs'
import { soak } from './runners/soak.mjs'

/** `make soak`: five minutes of what `make test` does for half of one. */
await report([soak(300)])
