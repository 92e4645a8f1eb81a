import { checks } from './runners/checks.mjs'
import { examples } from './runners/examples.mjs'
import { oracles } from './runners/oracle.mjs'
import { pythonTests } from './runners/python.mjs'
import { report } from './runners/report.mjs'

/** `make test`: every check, every test, every example. */
await report([...oracles, ...checks, pythonTests, ...examples])
