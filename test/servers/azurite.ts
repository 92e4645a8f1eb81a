import { serverProgram } from './programs.ts'

/** Azure's own emulator of the blob service. */
export const azurite = serverProgram('azurite-blob', {
  commandLine: (port) => [
    ...['--blobHost', '127.0.0.1', '--blobPort', `${port}`],
    ...['--inMemoryPersistence', '--extentMemoryLimit', '512'],
    ...['--skipApiVersionCheck', '--disableTelemetry', '--silent'],
  ],
})
