import { expect, test } from 'vitest'
import { iostatStatistics, parseIostat } from '../../../../src/benchmark/dlio/postprocess/iostat.ts'
import { countersOf, IostatProfile, iostatSample } from '../../../../src/benchmark/dlio/run/iostat-profile.ts'

const DISK_BEFORE = ` 252       0 vda 1000 10 80000 500 200 20 16000 300 0 900 800 1 2 3 4 5 6
 252      16 vdb 5 0 40 1 0 0 0 0 0 1 1 0 0 0 0 0 0
   7       0 loop0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0
`
const DISK_AFTER = ` 252       0 vda 1100 110 284800 700 250 20 36480 350 0 1500 1100 1 2 3 4 5 6
 252      16 vdb 5 0 40 1 0 0 0 0 0 1 1 0 0 0 0 0 0
   7       0 loop0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0
`
const TIME = new Date(2026, 0, 2, 3, 4, 5).getTime()
const before = countersOf(DISK_BEFORE, 'cpu  100 10 50 800 20 3 7 10 0 0\ncpu0 1\n', TIME)
const after = countersOf(DISK_AFTER, 'cpu  150 10 60 900 30 8 12 30 0 0\ncpu0 1\n', TIME + 2000)

test('a sample is what iostat would say of two seconds', () => {
  expect(iostatSample(before, after, ['vda'])).toEqual({
    timestamp: '2026-01-02T03:04:07',
    'avg-cpu': { user: 25, nice: 0, system: 10, iowait: 5, steal: 10, idle: 50 },
    disk: [
      {
        disk_device: 'vda',
        'r/s': 50,
        'w/s': 25,
        'rMB/s': 50,
        'wMB/s': 5,
        'rrqm/s': 50,
        'wrqm/s': 0,
        rrqm: 50,
        wrqm: 0,
        r_await: 2,
        w_await: 1,
        'rareq-sz': 1024,
        'wareq-sz': 204.8,
        'aqu-sz': 0.15,
        util: 30,
      },
    ],
  })
})

test('without names, all devices that ever did something are told', () => {
  const { disk } = iostatSample(before, after, []) as { disk: { disk_device: string }[] }
  expect(disk.map(({ disk_device }) => disk_device)).toEqual(['vda', 'vdb'])
})

test('a profile is read by what reads files of iostat', async () => {
  const profile = new IostatProfile([])
  await new Promise((resolve) => setTimeout(resolve, 20))
  const text = profile.end()
  if (text === undefined) return
  const samples = parseIostat(text, 'iostat.json')
  expect(samples).toHaveLength(1)
  const { idle, user, system } = samples[0]?.cpu ?? { idle: -1, user: -1, system: -1 }
  for (const share of [idle, user, system]) expect(share).toBeGreaterThanOrEqual(0)
})

test('statistics are those of a span of time', () => {
  const document = JSON.stringify({
    sysstat: {
      hosts: [
        {
          statistics: [1, 2, 3, 4].map((second) => ({
            timestamp: `2026-01-02T03:04:0${second}`,
            'avg-cpu': { user: 10 * second, nice: 1, system: 0, iowait: 0, steal: 0, idle: 90 },
            disk: [
              {
                disk_device: 'vda',
                'r/s': second,
                'w/s': 0,
                'rMB/s': 2 * second,
                'wMB/s': 0,
                r_await: 0,
                w_await: 0,
                'aqu-sz': 0,
              },
            ],
          })),
        },
      ],
    },
  })
  const samples = parseIostat(document, 'iostat.json')
  const at = (second: number) => new Date(`2026-01-02T03:04:0${second}`).getTime()
  const { cpu, devices } = iostatStatistics(samples, at(1), at(4))
  expect(cpu.user).toMatchObject({ mean: 21, min: 11, max: 31, median: 21, std: 10 })
  expect(devices.get('vda')?.['rMB/s']).toMatchObject({ mean: 4, p90: expect.closeTo(5.6), p99: expect.closeTo(5.96) })
  expect(iostatStatistics(samples, at(1), at(2)).cpu.user).toBeUndefined()
})

test('what is no file of iostat is refused', () => {
  expect(() => parseIostat('{', 'x.json')).toThrow('x.json is not what iostat writes')
  expect(() => parseIostat('{"sysstat": {}}', 'x.json')).toThrow('it has no sysstat.hosts')
})
