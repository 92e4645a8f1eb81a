/** Any user who owns nothing here: on most systems this is `nobody`. */
const NOBODY = 65_534

/** Runs with the permissions of nobody in particular, also where the tests are run by root, who may read everything. */
export async function withoutPrivileges(run: () => Promise<void>): Promise<void> {
  if (process.getuid?.() !== 0) return run()
  process.seteuid?.(NOBODY)
  try {
    await run()
  } finally {
    process.seteuid?.(0)
  }
}
