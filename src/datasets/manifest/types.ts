/** One object of a listing. */
export interface ManifestEntry {
  /** Relative to the manifest's URL. */
  readonly key: string
  /** Bytes. */
  readonly size: number
  readonly etag: string
}

/** What a manifest says of itself. */
export interface ManifestSummary {
  /** What the keys are relative to. Without credentials. */
  readonly url: string
  /** Objects. */
  readonly length: number
  /** Of all objects together. */
  readonly bytes: number
  /** Of the largest object, bytes. */
  readonly largest: number
  /** sha256 over every key, size and etag, in order. */
  readonly fingerprint: string
  /** Globs that the objects were chosen by. */
  readonly include: readonly string[]
  readonly exclude: readonly string[]
}

/** A listing that is at hand: objects in the order of their keys' UTF-8 bytes, by number and without waiting. */
export interface Manifest extends ManifestSummary {
  /** Object `id`, 0 .. length - 1. E_USAGE for another; E_CORRUPT where the manifest's file is damaged there. */
  entry(id: number): ManifestEntry
  size(id: number): number
  /** From object `start` on, block by block; what is gone through is not kept. */
  entries(start?: number): Iterable<ManifestEntry>
  close(): void
}
