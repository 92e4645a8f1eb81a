#!/usr/bin/env node
// CommonJS, because it must run before anything uses libuv's threads, whose number is read once: pictures are encoded
// and files are read there, and four would leave larger machines idle.
const { existsSync } = require('node:fs') as typeof import('node:fs')
const { availableParallelism } = require('node:os') as typeof import('node:os')

async function start(): Promise<void> {
  // Without the addon, so that it can tell what is wrong with the addon.
  const { reportError, setVerbose } = await import('./run.js')
  try {
    // Settings of the folder one works in, such as HEADRACE_SIMD; what is set already wins. Node.js reads them from 20.12 on.
    if (existsSync('.env')) process.loadEnvFile?.('.env')
    process.env.UV_THREADPOOL_SIZE ??= String(Math.max(4, availableParallelism()))
    await import('./main.js')
  } catch (error) {
    setVerbose(process.argv.includes('-v') || process.argv.includes('--verbose'))
    process.exitCode = reportError(error)
  }
}

start()
