import { availableParallelism } from 'node:os'

/** The server and the clients that are measured never wait for each other's core where there are two. */
export const SERVER_CORE = '0'
export const CLIENT_CORE = availableParallelism() > 1 ? '1' : '0'
