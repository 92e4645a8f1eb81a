import { describeCommunicator } from './conformance.ts'
import { launchLocal, launchOpenMpi, launchPmi, launchSlurm, launchTorchrun } from './launch.ts'

describeCommunicator('ranks that startRanks started', [1, 2, 3, 8], launchLocal, [2])
describeCommunicator("with torchrun's environment, over TCP", [2, 5], launchTorchrun, [5])
describeCommunicator("with Open MPI's environment", [4], launchOpenMpi)
describeCommunicator("with PMI's environment", [2], launchPmi)
describeCommunicator("with Slurm's environment, an address and a token", [3], launchSlurm)
