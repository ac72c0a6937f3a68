/** The whole run: options → audio → plans → calls played → ends awaited → accounts compared → report and exit code. */

import { readFile, stat } from 'node:fs/promises'
import { parseWav, type WavAudio } from '../audio/wav-file.js'
import { messageOf } from '../errors.js'
import { formatCount } from '../terminal/numbers.js'
import { showProgress } from '../terminal/progress.js'
import type { Terminal } from '../terminal/terminal.js'
import { type Audit, auditCalls, awaitEnds, type Desk, type Sighting } from './call-auditor.js'
import { createCall, type Line, playCall, type SimulatedCall } from './call-player.js'
import type { SimulatorClock } from './clock.js'
import { SimulateError } from './errors.js'
import { planCall } from './impairment.js'
import { fileBytesMax, greetingMs, packetMs, plannedPacketsMax } from './limits.js'
import { callIdOf, helpText, readCommand, readTokens, type SimulateOptions } from './options.js'
import { type AudioPacket, cutPackets, startBodyOf } from './packets.js'
import { renderCalls, renderRate, renderVerdict } from './report.js'
import { createServiceClient } from './service-client.js'
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
  const packets = cutPackets(audio)
  const calls = planCalls(options, packets.length, clock.wallMs())
  terminal.out.write(describeRun(options, audio, packets))
  const client = createServiceClient({
    url: options.url,
    connectionsMax: options.connections,
    patienceMs: options.patienceMs,
    clock,
    signal,
    tokens: readTokens(world.environment),
  })
  try {
    await client.send({ method: 'GET', path: '/', patienceMs: greetingMs }).catch((error: unknown) => {
      throw error instanceof SimulateError ? explainUnreachable(options.url, error) : error
    })
    const desk: Desk = { client, clock, signal, packets }
    await playCalls(calls, { ...options, startBody: startBodyOf(audio) }, world, desk)
    const sightings = await watchCalls(calls, options, world, desk)
    const audits = await auditAll(calls, sightings, world, desk)
    const verdict = judge({
      calls,
      audits,
      waitsForEnds: options.waitsForEnds,
      isInterrupted: signal.aborted,
    })
    const rows = calls.map((call) => rowOf(call, audits.get(call.callId)))
    terminal.out.write(renderCalls(rows, { columns: terminal.columns, showsAll: options.showsAllCalls }))
    terminal.out.write(renderVerdict(verdict))
    return exitCodes[verdict.outcome]
  } finally {
    client.close()
  }
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

function planCalls(options: SimulateOptions, packetCount: number, wallMs: number): SimulatedCall[] {
  const { callCount, seed, rates, prefix } = options
  if (callCount * packetCount > plannedPacketsMax)
    throw new SimulateError(
      'usage',
      `${callCount} calls of ${packetCount} packets are past the highest allowed ${plannedPacketsMax} packets`,
    )
  return Array.from({ length: callCount }, (_, callIndex) =>
    createCall({
      callId: callIdOf(prefix, callIndex, callCount),
      plan: planCall({ seed, callIndex, packetCount, rates }),
      packetCount,
      // A millisecond apart, so that a packet stored under the wrong call shows by its timestamp.
      startWallMs: wallMs + callIndex,
    }),
  )
}

function describeRun(options: SimulateOptions, audio: WavAudio, packets: readonly AudioPacket[]): string {
  const { callCount, prefix, rates, seed, url } = options
  const seconds = audio.frames.length / audio.frameBytes / audio.sampleRate
  const channels = audio.channels === 1 ? 'mono' : `${audio.channels} channels`
  const note = audio.note === null ? '' : `${options.file}: ${audio.note}\n`
  return (
    note +
    `${options.file}: ${seconds.toFixed(1)} s of ${audio.encoding}, ${audio.sampleRate} Hz, ${channels}; ` +
    `${formatCount(packets.length)} packets of ${packetMs} ms\n` +
    `${formatCount(callCount)} calls ${callIdOf(prefix, 0, callCount)} … ${callIdOf(prefix, callCount - 1, callCount)} into ${url.href}; ` +
    `loss ${rates.loss} %, reorder ${rates.reorder} %, duplicate ${rates.duplicate} %, late ${rates.late} %; seed ${seed}\n`
  )
}

async function playCalls(
  calls: readonly SimulatedCall[],
  options: SimulateOptions & Pick<Line, 'startBody'>,
  { clock, terminal, signal }: World,
  { client, packets }: Desk,
): Promise<void> {
  const { speed, graceMs, startBody } = options
  const total = sumOf(calls, ({ plan }) => plan.live.length + plan.late.length)
  const answered = () => sumOf(calls, ({ log }) => log.answeredSends)
  const stopProgress = showProgress(terminal, { label: 'packets', total, count: answered })
  const beganMs = clock.nowMs()
  const lineOf = (callIndex: number): Line => ({
    client,
    clock,
    signal,
    packets,
    startBody,
    speed,
    graceMs,
    // Calls of a real trunk are not in step: their packets are spread over the packet time.
    startMs: beganMs + (callIndex / calls.length) * (packetMs / speed),
  })
  await Promise.all(calls.map((call, callIndex) => playCall(call, lineOf(callIndex))))
  stopProgress()
  const liveEndMs = calls.reduce((latest, call) => Math.max(latest, call.liveEndMs ?? beganMs), beganMs)
  terminal.out.write(
    renderRate({
      callCount: calls.length,
      sentCount: sumOf(calls, ({ liveAnswered }) => liveAnswered),
      elapsedMs: liveEndMs - beganMs,
      playedTicks: sumOf(calls, ({ playedTicks }) => playedTicks),
      speed,
    }),
  )
}

async function watchCalls(
  calls: readonly SimulatedCall[],
  options: SimulateOptions,
  { terminal }: World,
  desk: Desk,
): Promise<Map<string, Sighting>> {
  const sightings = new Map<string, Sighting>()
  const begun = calls.filter(({ log }) => log.answeredSends > 0)
  const played = begun.filter(({ playing }) => playing.kind === 'played')
  const others = begun.filter(({ playing }) => playing.kind !== 'played')
  let endedCount = 0
  const onEnd = () => endedCount++
  const total = options.waitsForEnds ? played.length : 0
  const stopProgress = showProgress(terminal, { label: 'ended', total, count: () => endedCount })
  await awaitEnds(desk, {
    calls: played,
    waitMs: options.waitsForEnds ? options.waitMs : 0,
    sightings,
    onEnd,
  })
  stopProgress()
  // A call that was broken off has no completion, so nothing ends it soon: one look must do.
  await awaitEnds(desk, { calls: others, waitMs: 0, sightings, onEnd: () => {} })
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

function sumOf<Item>(items: readonly Item[], pick: (item: Item) => number): number {
  return items.reduce((sum, item) => sum + pick(item), 0)
}
