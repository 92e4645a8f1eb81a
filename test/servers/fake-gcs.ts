import { findProgram, type RunningServer, startServer } from './programs.ts'

/** fake-gcs-server, where it is installed. */
export const fakeGcs = {
  path: findProgram('fake-gcs-server'),
  start: (): Promise<RunningServer> =>
    startServer(
      fakeGcs.path ?? 'fake-gcs-server',
      (port) => [
        '-scheme',
        'http',
        '-host',
        '127.0.0.1',
        '-port',
        `${port}`,
        '-backend',
        'memory',
        '-external-url',
        `http://127.0.0.1:${port}`,
        '-public-host',
        `127.0.0.1:${port}`,
        '-log-level',
        'error',
      ],
      {},
    ),
}
