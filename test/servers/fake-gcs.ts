import { serverProgram } from './programs.ts'

export const fakeGcs = serverProgram('fake-gcs-server', {
  commandLine: (port) => [
    ...['-scheme', 'http', '-host', '127.0.0.1', '-port', `${port}`, '-backend', 'memory', '-log-level', 'error'],
    ...['-external-url', `http://127.0.0.1:${port}`, '-public-host', `127.0.0.1:${port}`],
  ],
})
