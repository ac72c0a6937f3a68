/** A gateway's native protocol next to single packets over HTTP: packets a second and a CPU second, and how soon a gateway has gone on. */

import type { SendFigures } from '../load/native-process.js'
import { newCallSet, saturate } from '../load/saturate.js'
import { counted, readMetrics } from '../measure/metrics-text.js'
import { processUse, type UseBetween, useBetween } from '../measure/proc.js'
import { median } from '../measure/statistics.js'
import type { Check, Context, Report, Scenario } from '../scenario.js'
import { Helper } from '../stage/helper.js'
import { nativeProgram } from '../stage/paths.js'
import { type MeasuredServer, startService } from '../stage/server.js'
import { inTurn, perSecond } from './headline.js'

const sides = ['http', 'blocks of 1', 'blocks of 5'] as const
type Side = (typeof sides)[number]

const calls = 1024
const warmSeconds = 2
const answerMsMax = 60_000
const ratioMin = 5
const rateWanted = 250_000
const resumeMsMax = 1000

interface Measured {
  readonly rate: number
  readonly micros: number
  readonly use: UseBetween
  readonly packets: number
}

const totalOf = ({ mainMicros, writerMicros, otherMicros }: UseBetween) =>
  mainMicros + writerMicros + otherMicros

const measured = (packets: number, elapsedMs: number, use: UseBetween): Measured => ({
  rate: (packets * 1000) / elapsedMs,
  micros: totalOf(use) / packets,
  use,
  packets,
})

const accepted = 'voicestream_packets_total{status="accepted"}'

async function native(
  service: MeasuredServer,
  gateway: Helper,
  seconds: number,
  side: Side,
): Promise<Measured> {
  const input = { seconds, packetsPerBlock: side === 'blocks of 1' ? 1 : 5 }
  const send = (of: typeof input) => gateway.ask<SendFigures>('send', of, of.seconds * 1000 + answerMsMax)
  await send({ ...input, seconds: warmSeconds })
  const before = await readMetrics(service.url)
  const useBefore = processUse(service.pid)
  const { packets, elapsedMs, left } = await send(input)
  const use = useBetween(useBefore, processUse(service.pid))
  const stored = counted(before, await readMetrics(service.url), accepted)
  // What was under way before and after.
  if (Math.abs(stored - packets) > 2 * Math.max(left, 10_000))
    throw new Error(`${packets} packets were acknowledged, and ${stored} accepted`)
  return measured(packets, elapsedMs, use)
}

async function round(
  context: Context,
  number: number,
): Promise<{ readonly of: Map<Side, Measured>; readonly resumeMs: number }> {
  const { stage, seconds } = context
  const folder = stage.newFolder('native')
  const gateway = new Helper(stage, nativeProgram)
  const prefix = `native${number}`
  let service = await startService(stage, folder)
  try {
    await gateway.ask('connect', { port: service.port, prefix }, answerMsMax)
    const of = new Map<Side, Measured>()
    for (const side of inTurn(number, sides)) {
      if (side !== 'http') {
        of.set(side, await native(service, gateway, seconds, side))
        continue
      }
      const { wrk, use, stored } = await saturate(stage, service, { seconds, set: newCallSet(calls) })
      of.set(side, measured(stored, (stored * 1000) / wrk.rate, use))
    }
    // In the middle of it.
    const sending = gateway.ask('send', { seconds: 1, packetsPerBlock: 5 }, answerMsMax).catch(() => {})
    await new Promise((resolve) => setTimeout(resolve, 500))
    await service.kill()
    service = await startService(stage, folder)
    const resumeMs = await gateway.ask<number>('resume', { port: service.port, prefix }, answerMsMax)
    await sending
    return { of, resumeMs }
  } finally {
    gateway.end()
    await service.kill()
    stage.removeFolder(folder)
  }
}

function reportOf(
  rounds: readonly { readonly of: Map<Side, Measured>; readonly resumeMs: number }[],
): Report {
  const of = (side: Side, value: (found: Measured) => number) =>
    median(rounds.map((each) => value(each.of.get(side) as Measured)))
  const ratioOf = (side: Side) =>
    median(
      rounds.map(
        (each) => (each.of.get('http')?.micros ?? Number.NaN) / (each.of.get(side)?.micros ?? Number.NaN),
      ),
    )
  const resumeMs = median(rounds.map((each) => each.resumeMs))
  const best = Math.max(
    of('blocks of 1', ({ rate }) => rate),
    of('blocks of 5', ({ rate }) => rate),
  )
  return {
    tables: [
      {
        title:
          'packets of 160 bytes: HTTP by wrk, 256 connections; one gateway with trunk messages of up to 60 kB, 200 calls',
        columns: [
          { name: '' },
          { name: 'rate', unit: 'packets/s' },
          ...['main thread', 'writer thread', 'all threads'].map((name) => ({ name, unit: 'µs', digits: 1 })),
          { name: 'packets a CPU second, to HTTP', digits: 1 },
        ],
        rows: sides.map((side) => [
          side,
          of(side, ({ rate }) => rate),
          of(side, ({ use, packets }) => use.mainMicros / packets),
          of(side, ({ use, packets }) => use.writerMicros / packets),
          of(side, ({ micros }) => micros),
          ratioOf(side),
        ]),
      },
    ],
    charts: [],
    checks: checks(ratioOf('blocks of 5'), best, resumeMs),
    notes: [
      'a packet over HTTP has 216 characters of base64, one of the native protocol 160 bytes; both are on disk before their acknowledgement',
    ],
  }
}

function checks(ratio: number, rate: number, resumeMs: number): readonly Check[] {
  return [
    {
      name: 'native, blocks of 5: packets a CPU second, to single packets over HTTP',
      wanted: `≥ ${ratioMin}`,
      found: ratio.toFixed(1),
      isMet: ratio >= ratioMin,
    },
    {
      name: 'native: packets on disk',
      wanted: `≥ ${perSecond(rateWanted)}`,
      found: perSecond(rate),
      isMet: rate >= rateWanted,
    },
    {
      name: 'native: after kill -9 and a restart, until all is acknowledged again',
      wanted: `≤ ${resumeMsMax} ms`,
      found: `${resumeMs.toFixed(0)} ms`,
      isMet: resumeMs <= resumeMsMax,
    },
  ]
}

async function run(context: Context): Promise<Report> {
  const { rounds, tell } = context
  const found = []
  for (let number = 1; number <= rounds; number++) {
    const one = await round(context, number)
    found.push(one)
    const rates = sides.map((side) => `${side} ${perSecond(one.of.get(side)?.rate ?? 0)}`)
    tell(`round ${number} of ${rounds}: ${rates.join(', ')}; gone on after ${one.resumeMs.toFixed(0)} ms`)
  }
  return reportOf(found)
}

export const nativeIngest: Scenario = {
  name: 'native',
  title: 'A gateway’s native protocol',
  summary: 'Blocks in trunk messages against single packets over HTTP, and a resume after kill -9.',
  needsWrk: true,
  run,
}
