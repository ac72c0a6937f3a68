/** Preloaded into the service: its log is checkpointed, and then begun anew, every few commits instead of every 64 MiB. */
import { pathToFileURL } from 'node:url'

const { limits } = await import(pathToFileURL('dist/limits.js').href)
limits.checkpointPages = 64
