import { oracles } from './runners/oracle.mjs'
import { report } from './runners/report.mjs'
import { testsOf } from './runners/vitest.mjs'

/** `make test-servers`: everything that is tested against servers of others, once they are installed. */
const files = ['test/storage/s3', 'test/storage/az', 'test/storage/gs', 'test/faults', 'test/dev']
await report([...oracles, testsOf('real servers', files)])
