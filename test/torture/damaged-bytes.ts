/**
 * Bytes that change in the database file while nothing runs, anywhere: cells, pages of indexes, pages above the leaves, the
 * header, free pages, the index of words. Each start is refused with one clear line, or each answer is true, or an error, or
 * a mark. Never is a changed byte served, a call that is there unknown, or missing from a list in silence.
 *
 * Most of the bytes fall anywhere, the others into a kind of page that is drawn first, because most of a file are packets.
 */

import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { patience } from '../support/patience.js'
import type { Service } from '../support/service.js'
import {
  type Answers,
  type Judgement,
  judgeAccount,
  judgeDamaged,
  pathsOf,
  type Report,
  readAnswers,
} from './damaged-answers.js'
import { type Image, makeImage, type SentCall, stillSettings } from './damaged-image.js'
import { copyOf } from './power-disk.js'
import { type Random, randomOf } from './random.js'
import { startRefused } from './refusal.js'
import { Connection } from './requests.js'
import { type Stage, within } from './stage.js'
import type { Verdict } from './verdict.js'

export interface DamagedBytesPlan {
  readonly seed: number
  readonly bytes: number
}

/** Of those that fall anywhere, and of those that a start is often refused for. */
const anywhereAtOnce = 8
const drawnAtOnce = 3
const anywhereShare = 0.6
const lanes = 2
const pageBytes = 4096
const headerBytes = 100
const refusalMsMax = 5000
const endMsMax = 10_000

interface Byte {
  readonly at: number
  readonly value: number
  /** What lies there, for people. */
  readonly what: string
}

export async function runDamagedBytes(stage: Stage, { seed, bytes }: DamagedBytesPlan): Promise<Verdict> {
  const random = randomOf(seed)
  const image = await makeImage(stage, random)
  const findings: string[] = []
  const truth = await truthOf(stage, image, (text) => findings.push(`undamaged: ${text}`))
  const trials = trialsOf(join(image.folder, 'voicestream.db'), random, bytes)
  const counts = { refused: 0, started: 0, noticed: 0 }
  const notes = { errors: 0, marks: 0, stopped: 0, unseen: 0 }
  const left = [...trials]
  const lane = async () => {
    for (let trial = left.shift(); trial !== undefined; trial = left.shift()) {
      const told = trial.map(({ at, what }) => `${at} (${what})`).join(', ')
      const outcome = await tryDamage(stage, image, truth, trial, (text) =>
        findings.push(`bytes ${told}: ${text}`),
      )
      if (outcome === 'refused') counts.refused++
      else if (outcome === 'stopped') notes.stopped++
      else {
        counts.started++
        notes.errors += outcome.errors
        notes.marks += outcome.marks
        if (outcome.errors + outcome.marks > 0) counts.noticed++
        else notes.unseen++
      }
    }
  }
  await Promise.all(Array.from({ length: lanes }, lane))
  return { counts, notes, faults: trials.flat().length, findings }
}

async function truthOf(stage: Stage, { folder, calls }: Image, report: Report): Promise<Answers> {
  const dataDir = copyOf(folder, stage.folder())
  const service = await stage.service({ dataDir, settings: stillSettings })
  const answers = await readAnswers(service.port, pathsOf(calls))
  judgeAccount(calls, answers, report)
  service.kill('SIGKILL')
  await service.exited
  return answers
}

// --- the damage -----------------------------------------------------------------------------------------------------

function trialsOf(path: string, random: Random, bytes: number): readonly (readonly Byte[])[] {
  const content = readFileSync(path)
  const kinds = pageKinds(path, content.length / pageBytes)
  const pages = new Map([...kinds].flatMap(([kind, numbers]) => numbers.map((page) => [page, kind] as const)))
  const byteAt = (at: number): Byte => {
    const what =
      at < headerBytes ? 'the header' : (pages.get(Math.floor(at / pageBytes) + 1) ?? 'a free page')
    return { at, value: (content[at] ?? 0) ^ random.integer(1, 255), what }
  }
  const trials: Byte[][] = []
  const add = (count: number, atOnce: number, place: () => number) => {
    for (let left = count; left > 0; left -= atOnce)
      trials.push(Array.from({ length: Math.min(left, atOnce) }, () => byteAt(place())))
  }
  const anywhere = Math.round(bytes * anywhereShare)
  add(anywhere, anywhereAtOnce, () => random.integer(0, content.length - 1))
  add(bytes - anywhere, drawnAtOnce, () => placeOf(kinds, random))
  return trials
}

/** Every second time at the beginning of the page, where it says what it is and where its cells are. */
function placeOf(kinds: ReadonlyMap<string, readonly number[]>, random: Random): number {
  if (random.chance(0.05)) return random.integer(0, headerBytes - 1)
  const page = random.pick(kinds.get(random.pick([...kinds.keys()])) ?? [1])
  return (page - 1) * pageBytes + random.integer(0, random.chance(0.5) ? 63 : pageBytes - 1)
}

function pageKinds(path: string, pageCount: number): ReadonlyMap<string, readonly number[]> {
  const kinds = new Map<string, number[]>()
  const add = (kind: string, page: number) => kinds.set(kind, [...(kinds.get(kind) ?? []), page])
  const used = new Set<number>()
  const db = new Database(path, { readonly: true })
  const pages = db.prepare<[], { name: string; pageno: number; pagetype: string }>(
    'SELECT name, pageno, pagetype FROM dbstat',
  )
  for (const { name, pageno, pagetype } of pages.all()) {
    used.add(pageno)
    add(`${name} ${pagetype}`, pageno)
  }
  db.close()
  for (let page = 1; page <= pageCount; page++) if (!used.has(page)) add('a free page', page)
  return kinds
}

// --- what comes of it -----------------------------------------------------------------------------------------------

async function tryDamage(
  stage: Stage,
  { folder, calls }: Image,
  truth: Answers,
  trial: readonly Byte[],
  report: Report,
): Promise<Judgement | 'refused' | 'stopped'> {
  const dataDir = copyOf(folder, stage.folder())
  const path = join(dataDir, 'voicestream.db')
  const content = readFileSync(path)
  for (const { at, value } of trial) content[at] = value
  writeFileSync(path, content)
  try {
    const service = await stage.service({ dataDir, settings: stillSettings }).catch(() => null)
    if (service === null) return await judgeRefusal(stage, dataDir, report)
    return await judgeService(service, calls, truth, report)
  } finally {
    rmSync(dataDir, { recursive: true })
  }
}

async function judgeRefusal(stage: Stage, dataDir: string, report: Report): Promise<'refused'> {
  const { code, ms, reasons, stderr } = await startRefused(stage, { ...stillSettings, DATA_DIR: dataDir })
  if (code !== 1) report(`the exit code of the refusal is ${code}`)
  if (ms > patience(refusalMsMax)) report(`the refusal took ${Math.round(ms)} ms`)
  if (reasons.length !== 1 || stderr !== '')
    report(`not one clear line: ${JSON.stringify(reasons)} ${stderr}`)
  return 'refused'
}

async function judgeService(
  service: Service,
  calls: readonly SentCall[],
  truth: Answers,
  report: Report,
): Promise<Judgement | 'stopped'> {
  const found = await readAnswers(service.port, pathsOf(calls))
  if (hasEnded(service)) return judgeStop(service, report)
  const judgement = judgeDamaged(truth, found, report)
  await sendAgain(service, calls, report)
  if (hasEnded(service)) return judgeStop(service, report)
  service.kill('SIGKILL')
  if ((await within(endMsMax, service.exited)) === null) report('it did not end')
  for (const { msg, err } of service.log.filter(({ level }) => Number(level) >= 60))
    report(`${msg}: ${JSON.stringify(err)}`)
  return judgement
}

const hasEnded = ({ child }: Service) => child.exitCode !== null || child.signalCode !== null

/** What it could not go on with was in the file: it says so, and ends as it does when its store fails. */
function judgeStop({ child, log, errors }: Service, report: Report): 'stopped' {
  const fatal = log.filter(({ level }) => Number(level) >= 60)
  const isClear =
    fatal.length === 1 && /^the store has failed/.test(String(fatal[0]?.['msg'])) && errors.length === 0
  if (child.exitCode !== 74 || !isClear)
    report(`it ended with ${child.exitCode}: ${JSON.stringify(fatal)} ${errors.join('\n')}`)
  return 'stopped'
}

/** A PBX that asks whether it has said this before. A call that is not found would begin anew, and be acknowledged. */
async function sendAgain({ port }: Service, calls: readonly SentCall[], report: Report): Promise<void> {
  const connection = new Connection(port)
  for (const { id, packets } of calls.filter(({ id }) => /^(open|late|short-[0-9])/.test(id))) {
    const [first] = packets
    if (first === undefined) continue
    const [sequence, packet] = first
    const answer = await connection.post(`/v1/call/stream/${id}`, JSON.stringify({ sequence, ...packet }))
    if (answer.kind !== 'answered') {
      if (
        answer.reason !== 'ECONNREFUSED' &&
        answer.reason !== 'ECONNRESET' &&
        answer.reason !== 'socket hang up'
      )
        report(`a copy to ${id} had no answer: ${answer.reason}`)
      continue
    }
    const isRepeated = answer.status === 202 && /"status":"duplicate"/.test(answer.text)
    if (!isRepeated && answer.status < 500)
      report(`a copy to ${id} is ${answer.status}: ${answer.text.slice(0, 200)}`)
  }
  connection.close()
}
