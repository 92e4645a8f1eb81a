/** Whether what is written is on the device before it is visible. */
export type SyncPolicy = 'always' | 'never'

/** How the system's page cache is told that files are read: nothing, ahead, not ahead, or not to keep what was read. */
export type PageCachePolicy = 'normal' | 'sequential' | 'random' | 'dontNeed'
