import { checks } from './runners/checks.mjs'
import { examples } from './runners/examples.mjs'
import { oracles } from './runners/oracle.mjs'
import { pythonTests } from './runners/python.mjs'
import { report } from './runners/report.mjs'
import { soak } from './runners/soak.mjs'

/** `make test`: every check, every test, every example, and half a minute of `make soak`. */
await report([...oracles, ...checks, pythonTests, soak(30), ...examples])
