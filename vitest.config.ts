import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 60_000,
    // Hooks start servers and build fixtures; on a busy machine that takes its time.
    hookTimeout: 120_000,
    pool: 'forks',
    // Vitest leaves one core to itself, which is half of two; many tests wait.
    maxWorkers: '100%',
    coverage: { provider: 'v8', include: ['src/**/*.ts'], reporter: ['text-summary', 'json-summary'] },
  },
})
