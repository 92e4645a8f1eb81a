import { findProgram, type RunningServer, startServer } from './programs.ts'

/** Azure's own emulator of the blob service, where it is installed. */
export const azurite = {
  path: findProgram('azurite-blob'),
  start: (): Promise<RunningServer> =>
    startServer(
      azurite.path ?? 'azurite-blob',
      (port) => [
        '--blobHost',
        '127.0.0.1',
        '--blobPort',
        `${port}`,
        '--extentMemoryLimit',
        '512',
        '--skipApiVersionCheck',
        '--disableTelemetry',
        '--silent',
        '--inMemoryPersistence',
      ],
      {},
    ),
}
