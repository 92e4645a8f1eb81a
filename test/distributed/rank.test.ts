import { describe, expect, test } from 'vitest'
import { discoverRank } from '../../src/distributed/rank.ts'
import { isHeadraceError } from '../../src/errors.ts'

const torchrun = { RANK: '5', WORLD_SIZE: '8', LOCAL_RANK: '1', LOCAL_WORLD_SIZE: '4' }
const openmpi = {
  OMPI_COMM_WORLD_RANK: '2',
  OMPI_COMM_WORLD_SIZE: '6',
  OMPI_COMM_WORLD_LOCAL_RANK: '0',
  OMPI_COMM_WORLD_LOCAL_SIZE: '2',
}
const slurm = { SLURM_PROCID: '3', SLURM_NTASKS: '4', SLURM_LOCALID: '1', SLURM_STEP_ID: '0' }

describe('the launcher tells the rank', () => {
  test('torchrun', () => {
    expect(discoverRank(torchrun)).toEqual({ rank: 5, worldSize: 8, localRank: 1, localSize: 4, source: 'torchrun' })
  })

  test('Open MPI', () => {
    expect(discoverRank(openmpi)).toEqual({ rank: 2, worldSize: 6, localRank: 0, localSize: 2, source: 'openmpi' })
  })

  test('PMI, which may leave out the local rank', () => {
    expect(discoverRank({ PMI_RANK: '0', PMI_SIZE: '2' })).toEqual({ rank: 0, worldSize: 2, source: 'pmi' })
    expect(discoverRank({ PMI_RANK: '1', PMI_SIZE: '4', MPI_LOCALRANKID: '1', MPI_LOCALNRANKS: '2' })).toEqual({
      rank: 1,
      worldSize: 4,
      localRank: 1,
      localSize: 2,
      source: 'pmi',
    })
  })

  test('a Slurm step', () => {
    expect(discoverRank(slurm)).toEqual({ rank: 3, worldSize: 4, localRank: 1, source: 'slurm' })
  })

  test('nobody: rank 0 of 1', () => {
    expect(discoverRank({ PATH: '/bin' })).toEqual({ rank: 0, worldSize: 1, source: 'none' })
  })

  test('the innermost launcher wins', () => {
    expect(discoverRank({ ...slurm, ...openmpi, ...torchrun }).source).toBe('torchrun')
    expect(discoverRank({ ...slurm, ...openmpi }).source).toBe('openmpi')
  })
})

describe('a Slurm allocation is not a step', () => {
  const { SLURM_STEP_ID: _, ...allocation } = slurm
  test.each([
    ['a batch script has no step id', allocation],
    ['the interactive step of salloc', { ...allocation, SLURM_STEP_ID: '4294967290' }],
    ['the batch step', { ...allocation, SLURM_STEP_ID: '4294967291' }],
  ])('%s', (_name, env) => {
    expect(discoverRank(env)).toEqual({ rank: 0, worldSize: 1, source: 'none' })
  })
})

describe('variables that cannot be right are E_CONFIG with name and value', () => {
  test.each([
    [{ RANK: 'zero', WORLD_SIZE: '2' }, 'RANK must be an integer of 0 or more, but got "zero"'],
    [{ RANK: '-1', WORLD_SIZE: '2' }, 'RANK must be an integer of 0 or more, but got "-1"'],
    [{ RANK: '', WORLD_SIZE: '2' }, 'RANK must be an integer of 0 or more, but got ""'],
    [{ RANK: '0', WORLD_SIZE: '0' }, 'WORLD_SIZE must be a positive integer, but got "0"'],
    [{ RANK: '0' }, 'WORLD_SIZE must be a positive integer, but it is not set'],
    [{ WORLD_SIZE: '2' }, 'RANK must be an integer of 0 or more, but it is not set'],
    [{ RANK: '2', WORLD_SIZE: '2' }, 'RANK must be less than WORLD_SIZE (2), but got "2"'],
    [{ ...torchrun, LOCAL_RANK: '4' }, 'LOCAL_RANK must be less than LOCAL_WORLD_SIZE (4), but got "4"'],
    [{ ...torchrun, LOCAL_WORLD_SIZE: '9' }, 'LOCAL_WORLD_SIZE must be at most WORLD_SIZE (8), but got "9"'],
    [{ ...slurm, SLURM_LOCALID: 'x' }, 'SLURM_LOCALID must be an integer of 0 or more, but got "x"'],
  ])('%j', (env, message) => {
    const read = () => discoverRank(env)
    expect(read).toThrow(`environment variable ${message}`)
    expect(read).toThrow(expect.toSatisfy((error) => isHeadraceError(error, 'E_CONFIG')))
  })
})
