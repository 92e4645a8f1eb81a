// INTERIM (lead): replaced by the storage engineer's version
import { open, readFile, readdir, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { pathToFileURL, fileURLToPath } from 'node:url'
import type { GetOptions, ListEntry, ListOptions, ObjectBody, Store } from './types.ts'
class Interim {
  url: string; spec
  root: string
  constructor(path: string) { this.root = path; this.url = pathToFileURL(path).href; this.spec = { url: this.url } }
  async get(key: string, o: GetOptions = {}): Promise<ObjectBody | undefined> {
    const p = join(this.root, key)
    const s = await stat(p).catch(() => undefined)
    if (!s?.isFile()) return undefined
    let data: Uint8Array = await readFile(p)
    if (o.into) { o.into.set(data); data = o.into.subarray(0, data.length) }
    return { info: { key, size: s.size, etag: `${s.size}-${s.mtimeMs}`, modified: s.mtimeMs }, data }
  }
  async *list(prefix: string, _o: ListOptions = {}): AsyncIterable<ListEntry> {
    const all = (await readdir(this.root, { recursive: true, withFileTypes: true })).filter((e) => e.isFile()).map((e) => join(e.parentPath, e.name).slice(this.root.length + 1)).filter((k) => k.startsWith(prefix)).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    for (const key of all) { const s = await stat(join(this.root, key)); yield { kind: 'object', key, size: s.size, etag: `${s.size}-${s.mtimeMs}`, modified: s.mtimeMs } }
  }
  localPath(key: string) { return join(this.root, key) }
  async close() {}
}
export async function openStore(url: string): Promise<Store> {
  void open
  return new Interim(resolve(url.startsWith('file:') ? fileURLToPath(url) : url)) as unknown as Store
}
