/** Lines on stderr for who asks for them: `HEADRACE_LOG=error|warn|info|debug`. Nothing without it. */

const LEVELS = ['error', 'warn', 'info', 'debug'] as const
export type LogLevel = (typeof LEVELS)[number]

export function log(level: LogLevel, line: string): void {
  const wanted = LEVELS.indexOf(process.env.HEADRACE_LOG as LogLevel)
  if (LEVELS.indexOf(level) <= wanted) process.stderr.write(`headrace ${level}: ${line}\n`)
}
