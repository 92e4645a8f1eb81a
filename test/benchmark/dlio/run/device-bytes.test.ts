import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  cgroupCounter,
  deviceCounter,
  fileSystemKind,
  processCounter,
  readCounters,
} from '../../../../src/benchmark/dlio/run/device-bytes.ts'
import { cpuTimesOf } from '../../../../src/benchmark/dlio/run/host.ts'

/** A system's files as a test has them. */
let root: string
beforeEach(() => {
  root = `${mkdtempSync(join(tmpdir(), 'headrace-counters-'))}/`
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

function write(path: string, text: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true })
  writeFileSync(join(root, path), text)
}

/** Of the device that the test's own files lie on. */
function numbers(): string {
  const dev = BigInt(statSync(root).dev)
  return `${((dev >> 8n) & 0xfffn) | ((dev >> 32n) & ~0xfffn)}:${(dev & 0xffn) | ((dev >> 12n) & ~0xffn)}`
}

describe('bytes that were read are counted', () => {
  test('by the device under a path, in sectors of 512 bytes', () => {
    const stat = (sectors: number) => `    8000      100  ${sectors}     900    50  1 2 3 0 4 5 0 0 0 0 0 0\n`
    write(`sys/dev/block/${numbers()}/stat`, stat(1000))
    write(`sys/dev/block/${numbers()}/uevent`, 'MAJOR=252\nMINOR=0\nDEVNAME=vdz\nDEVTYPE=disk\n')
    const counter = deviceCounter(root, root)
    expect(counter?.source).toBe('vdz')
    expect(counter?.read()).toBe(512_000)
    write(`sys/dev/block/${numbers()}/stat`, stat(1003))
    expect(counter?.read()).toBe(513_536)
  })

  test('by the group of the process, over all devices', () => {
    write('proc/self/cgroup', '0::/user.slice/run-1.scope\n')
    write('sys/fs/cgroup/user.slice/run-1.scope/io.stat', '8:0 rbytes=1000 wbytes=5 rios=1\n259:1 rbytes=24 wbytes=0\n')
    expect(cgroupCounter(root)?.read()).toBe(1024)
    expect(readCounters(root, root, 'local').device?.source).toBe('cgroup')
  })

  test('by the group at the root of a container', () => {
    write('proc/self/cgroup', '0::/outside\n')
    write('sys/fs/cgroup/io.stat', '8:0 rbytes=77 wbytes=5\n')
    expect(cgroupCounter(root)?.read()).toBe(77)
  })

  test('by the process', () => {
    write('proc/self/io', 'rchar: 9\nwchar: 8\nread_bytes: 4096\nwrite_bytes: 1\n')
    expect(processCounter(root)?.read()).toBe(4096)
  })

  test('by nobody where the system does not say', () => {
    expect(deviceCounter(root, root)).toBeUndefined()
    expect(cgroupCounter(root)).toBeUndefined()
    expect(processCounter(root)).toBeUndefined()
    expect(readCounters(root, root, 'local')).toEqual({ unknown: expect.stringContaining('/proc/self/io') })
    expect(readCounters(join(root, 'nowhere'), root)).toEqual({ unknown: expect.stringContaining('nowhere') })
  })

  test('by the process alone where they come from a server, whatever the group counts', () => {
    write('proc/self/cgroup', '0::/\n')
    write('sys/fs/cgroup/io.stat', '8:0 rbytes=1000 wbytes=5 rios=1\n')
    write('proc/self/io', 'rchar: 9\nread_bytes: 8192\n')
    const { device, process, unknown } = readCounters(root, root, fileSystemKind(0x6969))
    expect([device, process?.read(), unknown]).toEqual([undefined, 8192, undefined])
  })

  test('as none where files are in memory, and not at all where the kernel keeps no count', () => {
    write('proc/self/io', 'rchar: 9\nread_bytes: 8192\n')
    const { device, process } = readCounters(root, root, fileSystemKind(0x01021994))
    expect([device?.source, device?.read(), process]).toEqual(['memory', 0, undefined])
    expect(readCounters(root, root, fileSystemKind(0x65735546))).toEqual({
      unknown: 'the kernel keeps no sure count of reads from FUSE',
    })
    // CIFS, as a number with its sign.
    expect([fileSystemKind(-11317950), fileSystemKind(0x794c7630)]).toEqual(['network', 'local'])
    expect(fileSystemKind(0x1234)).toEqual({ uncounted: 'a file system of type 0x1234' })
  })
})

test('processors are busy when they neither idle nor wait for devices', () => {
  const text = `cpu  9 9 9 9 9 9 9 9 9 9
cpu0 1000 200 300 4000 500 60 40 100 7 8
cpu1 99 99 99 99 99 99 99 99 0 0
cpu2 100 0 0 100 0 0 0 0 0 0
cpu3 0 0 0 300 0 0 0 0 0 0
intr 5
`
  const status = (list: string) => `Name:\tnode\nCpus_allowed:\tf\nCpus_allowed_list:\t${list}\n`
  expect(cpuTimesOf(text, status('0'))).toEqual({ busy: 17, total: 62 })
  expect(cpuTimesOf(text, status('0,2-3'))).toEqual({ busy: 18, total: 67 })
  expect(cpuTimesOf('intr 5\n', status('0'))).toBeUndefined()
})
