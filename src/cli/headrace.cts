#!/usr/bin/env node
// CommonJS, because it must run before anything uses libuv's threads, whose number is read once: pictures are encoded
// and files are read there, and four would leave larger machines idle.
const { availableParallelism } = process.getBuiltinModule('node:os')

process.env.UV_THREADPOOL_SIZE ??= String(Math.max(4, availableParallelism()))
import('./main.js')
