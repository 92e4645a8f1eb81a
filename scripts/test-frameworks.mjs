import { frameworks } from './runners/frameworks.mjs'
import { packageTests } from './runners/package.mjs'
import { report } from './runners/report.mjs'

/** `make test-frameworks`: the Python package by itself, then with PyTorch, TensorFlow and JAX, of which none may be missing. */
await report([packageTests, ...frameworks])
