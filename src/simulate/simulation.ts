/** The whole run: options → audio → plans → calls played → ends awaited → accounts compared → report and exit code. */

import { readFile, stat } from 'node:fs/promises'
import { parseWav, type WavAudio } from '../audio/wav-file.js'
import { messageOf } from '../errors.js'
import { formatCount } from '../terminal/numbers.js'
import { showProgress } from '../terminal/progress.js'
import type { Terminal } from '../terminal/terminal.js'
import { type Audit, auditCalls, awaitEnds, type Desk, type Sighting } from './call-auditor.js'
import type { SimulatorClock } from './clock.js'
import { senders } from './dialects/senders.js'
import { SimulateError } from './errors.js'
import { httpPlay, type LinePorts } from './http-play.js'
import { fileBytesMax, greetingMs, settleMs } from './limits.js'
import { helpText, readCommand, readTokens, type SimulateOptions } from './options.js'
import type { Play } from './play.js'
import { renderCalls, renderVerdict } from './report.js'
import { createServiceClient } from './service-client.js'
import type { SimulatedCall } from './simulated-call.js'
import { nativePlay } from './sockets/native-play.js'
import { socketPlay } from './sockets/socket-play.js'
import { judge, rowOf } from './verdict.js'

export interface World {
  readonly clock: SimulatorClock
  readonly terminal: Terminal
  /** Aborted when the user ends the run. */
  readonly signal: AbortSignal
  /** A 32-bit number, used when no seed is given. */
  readonly randomSeed: number
  readonly environment: Readonly<Record<string, string | undefined>>
}

const exitCodes = { exact: 0, differs: 1, usage: 2, unfinished: 3, interrupted: 130 } as const

/** Runs the command `words`; returns the exit code. */
export async function simulate(words: readonly string[], world: World): Promise<number> {
  const { terminal, clock, randomSeed } = world
  try {
    const command = readCommand(words, { randomSeed, wallMs: clock.wallMs() })
    if (command.kind === 'simulate') return await runCalls(command.options, world)
    terminal.out.write(helpText)
    return exitCodes.exact
  } catch (error) {
    if (!(error instanceof SimulateError)) throw error
    const hint = error.code === 'usage' ? ' (--help shows the options)' : ''
    terminal.err.write(`simulate: ${error.message}${hint}\n`)
    return exitCodeOf(error)
  }
}

function exitCodeOf({ code }: SimulateError): number {
  switch (code) {
    case 'usage':
    case 'wav':
      return exitCodes.usage
    case 'unreachable':
      return exitCodes.unfinished
    case 'breach':
      return exitCodes.differs
    case 'interrupted':
      return exitCodes.interrupted
  }
}

async function runCalls(options: SimulateOptions, world: World): Promise<number> {
  const { clock, terminal, signal } = world
  const audio = await readAudio(options.file)
  const tokens = readTokens(world.environment)
  const client = createServiceClient({
    url: options.url,
    connectionsMax: options.connections,
    patienceMs: options.patienceMs,
    clock,
    signal,
    tokens,
  })
  try {
    const play = playOf(options, audio, { client, clock, signal, tokens })
    terminal.out.write(describeRun(options, audio, play))
    await client.send({ method: 'GET', path: '/', patienceMs: greetingMs }).catch((error: unknown) => {
      throw error instanceof SimulateError ? explainUnreachable(options.url, error) : error
    })
    await playCalls(play, terminal)
    const desk: Desk = { client, clock, signal }
    const sightings = await watchCalls(play.calls, options, world, desk)
    const audits = await auditAll(play.calls, sightings, world, desk)
    return report(play.calls, audits, options, world)
  } finally {
    client.close()
  }
}

function playOf(
  options: SimulateOptions,
  audio: WavAudio,
  { client, clock, signal, tokens }: LinePorts & { tokens: ReturnType<typeof readTokens> },
): Play {
  const { dialect } = options
  const credentials = { ...tokens, token: tokens.ingest }
  if (dialect === null) return httpPlay(options, audio, { client, clock, signal })
  const ofDialect = senders.get(dialect)
  return ofDialect === undefined
    ? nativePlay(options, audio, { clock, signal, credentials })
    : socketPlay(options, ofDialect, audio, { clock, signal, credentials })
}

function report(
  calls: readonly SimulatedCall[],
  audits: ReadonlyMap<string, Audit>,
  { waitsForEnds, showsAllCalls }: SimulateOptions,
  { terminal, signal }: World,
): number {
  const verdict = judge({ calls, audits, waitsForEnds, isInterrupted: signal.aborted })
  const rows = calls.map((call) => rowOf(call, audits.get(call.callId)))
  terminal.out.write(renderCalls(rows, { columns: terminal.columns, showsAll: showsAllCalls }))
  terminal.out.write(renderVerdict(verdict))
  return exitCodes[verdict.outcome]
}

function explainUnreachable(url: URL, error: SimulateError): SimulateError {
  return new SimulateError(error.code, `the service at ${url.href} does not serve: ${error.message}`, error)
}

async function readAudio(file: string): Promise<WavAudio> {
  try {
    const { size } = await stat(file)
    if (size > fileBytesMax)
      throw new SimulateError('wav', `the file has ${size} bytes, past the highest allowed ${fileBytesMax}`)
    return parseWav(await readFile(file))
  } catch (error) {
    const fact = messageOf(error)
    throw new SimulateError('wav', `${file}: ${fact}`, error)
  }
}

function describeRun({ file, url }: SimulateOptions, audio: WavAudio, play: Play): string {
  const seconds = audio.frames.length / audio.frameBytes / audio.sampleRate
  const channels = audio.channels === 1 ? 'mono' : `${audio.channels} channels`
  const note = audio.note === null ? '' : `${file}: ${audio.note}\n`
  const { calls, audioNote, faultNote } = play
  return (
    note +
    `${file}: ${seconds.toFixed(1)} s of ${audio.encoding}, ${audio.sampleRate} Hz, ${channels}; ${audioNote}\n` +
    `${formatCount(calls.length)} calls ${calls[0]?.callId} … ${calls.at(-1)?.callId} into ${url.href}; ${faultNote}\n`
  )
}

async function playCalls(play: Play, terminal: Terminal): Promise<void> {
  const stopProgress = showProgress(terminal, {
    label: 'packets',
    total: play.total,
    count: () => play.sent(),
  })
  await play.run()
  stopProgress()
  terminal.out.write(play.rate())
}

async function watchCalls(
  calls: readonly SimulatedCall[],
  options: SimulateOptions,
  { terminal }: World,
  desk: Desk,
): Promise<Map<string, Sighting>> {
  const sightings = new Map<string, Sighting>()
  const begun = calls.filter(({ counts }) => counts.sent > 0)
  const played = begun.filter(({ playing }) => playing.kind === 'played')
  const others = begun.filter(({ playing }) => playing.kind !== 'played')
  let endedCount = 0
  const onEnd = () => endedCount++
  const total = options.waitsForEnds ? played.length : 0
  const stopProgress = showProgress(terminal, { label: 'ended', total, count: () => endedCount })
  await awaitEnds(desk, {
    calls: played,
    ...(options.waitsForEnds
      ? { until: 'ended', waitMs: options.waitMs }
      : { until: 'settled', waitMs: Math.min(options.waitMs, settleMs) }),
    sightings,
    onEnd,
  })
  stopProgress()
  // A call that was broken off has no completion, so nothing ends it soon: one look must do.
  await awaitEnds(desk, { calls: others, until: 'settled', waitMs: 0, sightings, onEnd: () => {} })
  return sightings
}

async function auditAll(
  calls: readonly SimulatedCall[],
  sightings: ReadonlyMap<string, Sighting>,
  { terminal, signal }: World,
  desk: Desk,
): Promise<Map<string, Audit>> {
  let auditedCount = 0
  const stopProgress = showProgress(terminal, {
    label: 'audited',
    total: signal.aborted ? 0 : calls.length,
    count: () => auditedCount,
  })
  const audits = await auditCalls(desk, { calls, sightings, onAudit: () => auditedCount++ })
  stopProgress()
  return audits
}
