/** Runs of the simulated PBX within a test. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { text } from 'node:stream/consumers'
import type { TestContext } from 'node:test'
import { systemClock } from '../../src/simulate/clock.js'
import { simulate, type World } from '../../src/simulate/simulation.js'
import { temporaryFolder } from './service.js'
import { chunk, type FormatFields, formatChunk, muLaw, riff, speechOf } from './wav-files.js'

/** `packets` of 20 ms of each channel at 8 kHz. */
export function speechFile(t: TestContext, packets: number, format: FormatFields = muLaw): string {
  const file = join(temporaryFolder(t), 'call.wav')
  const bytes = (format.channels * format.sampleBits * format.sampleRate) / (8 * 8000)
  writeFileSync(file, riff(formatChunk(format), chunk('data', speechOf(packets * bytes))))
  return file
}

export interface SimulationRun {
  readonly exitCode: number
  /** Of both streams. */
  readonly told: string
}

export async function runSimulation(
  words: readonly string[],
  environment: Readonly<Record<string, string>> = {},
  signal: World['signal'] = new AbortController().signal,
): Promise<SimulationRun> {
  const [out, err] = [new PassThrough(), new PassThrough()]
  const told = Promise.all([text(out), text(err)])
  const terminal = { out, err, canMove: false, columns: 110 }
  const exitCode = await simulate(words, {
    clock: systemClock,
    terminal,
    signal,
    randomSeed: 5,
    environment,
  })
  out.end()
  err.end()
  return { exitCode, told: (await told).join('') }
}
