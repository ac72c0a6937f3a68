/**
 * Files that are damaged while nothing runs (P13). Either the start is refused, soon, with one clear line and no byte
 * changed; or what is damaged is noticed when it is read; or the damage met nothing that counts. Never are wrong bytes
 * served, and never is anything gone without a word but the last commit, which nobody can tell from one that was
 * never finished.
 */

import { existsSync, mkdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { patience } from '../support/patience.js'
import type { Service } from '../support/service.js'
import type { PacketAttempt } from './attempts.js'
import { LoadDriver, ordinaryLoad } from './driver.js'
import { copyOf } from './power-disk.js'
import { type Random, randomOf } from './random.js'
import { readCall } from './read-back.js'
import { fingerprint, startRefused } from './refusal.js'
import { Connection } from './requests.js'
import { killHard, type Stage, sleep, within } from './stage.js'
import type { Verdict } from './verdict.js'

export interface BadDatabasePlan {
  readonly seed: number
  /** Single bits of the log that are turned over, each in a copy of its own. */
  readonly flips: number
}

const database = 'voicestream.db'
const log = 'voicestream.db-wal'
const refusalMsMax = 5000
const packetsOfARun = 200
/** One connection: what it was told first was committed first. */
const load = { ...ordinaryLoad, connections: 1, calls: 5, resendShare: 0, conflictShare: 0 }
const pageBytes = 4096
const logHeaderBytes = 32
const frameHeaderBytes = 24

type Outcome = 'refused' | 'noticedWhenRead' | 'whole' | 'endGone'

interface Damage {
  readonly name: string
  /** Changes the files of a folder. */
  readonly apply: (folder: string) => void
  readonly allowed: readonly Outcome[]
}

interface Image {
  readonly folder: string
  /** In the order in which they were committed. */
  readonly acknowledged: readonly PacketAttempt[]
}

export async function runBadDatabases(stage: Stage, { seed, flips }: BadDatabasePlan): Promise<Verdict> {
  const random = randomOf(seed)
  const image = await killedDatabase(stage, random)
  const counts: Record<Outcome, number> = { refused: 0, noticedWhenRead: 0, whole: 0, endGone: 0 }
  const findings: string[] = []
  const damages = [...wholeFiles(image, random), ...flippedBits(image, random, flips)]
  for (const { name, apply, allowed } of damages) {
    const dataDir = copyOf(image.folder, stage.folder())
    apply(dataDir)
    const report = (text: string) => findings.push(`${name}: ${text}`)
    const outcome = await outcomeOf(stage, dataDir, image, report)
    rmSync(dataDir, { recursive: true })
    if (outcome === null) continue
    counts[outcome]++
    if (!allowed.includes(outcome)) report(`${outcome} is none of ${allowed.join(', ')}`)
  }
  const { refused, noticedWhenRead, ...notes } = counts
  return {
    counts: { acknowledged: image.acknowledged.length, refused, noticedWhenRead },
    notes,
    faults: damages.length,
    findings,
  }
}

/** Half of its packets are in the database, and half in a log that nobody has closed. */
async function killedDatabase(stage: Stage, random: Random): Promise<Image> {
  const folder = stage.folder()
  const driver = new LoadDriver(stage.folder(), load, random)
  for (const end of ['stop', 'kill'] as const) {
    const service = await stage.service({ dataDir: folder })
    const enough = driver.acknowledged + packetsOfARun
    driver.start(service.port)
    while (driver.acknowledged < enough) await sleep(20)
    await driver.halt()
    if (end === 'kill') await killHard(service)
    else {
      service.kill('SIGTERM')
      await service.exited
    }
  }
  const { packets } = driver.history()
  driver.close()
  return { folder, acknowledged: packets.filter(({ outcome }) => outcome === 'accepted') }
}

function wholeFiles({ folder, acknowledged }: Image, random: Random): readonly Damage[] {
  const content = readFileSync(join(folder, database))
  const write = (change: (bytes: Buffer) => void) => (to: string) => {
    const bytes = Buffer.from(content)
    change(bytes)
    writeFileSync(join(to, database), bytes)
  }
  const inLog = readFileSync(join(folder, log))
  // The content of a packet says what it is, so it can be found; what was moved has left copies in free pages.
  const names = acknowledged.map(({ call, sequence }) => `${call}/${sequence}/0:`)
  const onlyInDatabase = names.find((name) => content.includes(name) && !inLog.includes(name)) as string
  const orNoticed = ['refused', 'noticedWhenRead'] as const
  return [
    {
      name: 'a database cut in half',
      apply: (to) => truncateSync(join(to, database), content.length / 2),
      allowed: orNoticed,
    },
    {
      name: 'an empty database with a log',
      apply: (to) => truncateSync(join(to, database)),
      allowed: ['refused'],
    },
    {
      // Harmless where the log holds the first page.
      name: 'a database whose first 16 bytes are random',
      apply: write((bytes) => {
        for (let at = 0; at < 16; at++) bytes[at] = random.integer(0, 255)
      }),
      allowed: ['refused', 'whole'],
    },
    {
      name: 'a folder in place of the database',
      apply: (to) => {
        rmSync(join(to, database))
        mkdirSync(join(to, database))
      },
      allowed: ['refused'],
    },
    {
      name: 'a log that is gone after a kill',
      apply: (to) => rmSync(join(to, log)),
      allowed: ['refused'],
    },
    {
      name: '64 bytes of a packet that are zero',
      apply: write((bytes) => {
        for (let at = bytes.indexOf(onlyInDatabase); at >= 0; at = bytes.indexOf(onlyInDatabase))
          bytes.fill(0, at, Math.min(at + 64, Math.ceil((at + 1) / pageBytes) * pageBytes))
      }),
      allowed: ['noticedWhenRead'],
    },
  ]
}

/** In places that matter, in each word of the headers, which few bytes are, and then anywhere. */
function flippedBits({ folder }: Image, random: Random, flips: number): readonly Damage[] {
  const bytes = readFileSync(join(folder, log))
  const { lastBegins, end } = lastCommitOf(bytes)
  const places = [0.25, 0.5, 0.75].map((share) => Math.floor(end * share))
  places.push(lastBegins - 1, random.integer(lastBegins, end - 1), random.integer(lastBegins, end - 1))
  for (const word of wordsOf(logHeaderBytes).reverse()) places.push(word + random.integer(0, 3))
  for (const word of wordsOf(frameHeaderBytes)) places.push(logHeaderBytes + word + random.integer(0, 3))
  while (places.length < flips) places.push(random.integer(0, end - 1))
  return places.slice(0, flips).map((at): Damage => {
    const bit = random.integer(0, 7)
    return {
      name: `bit ${bit} of byte ${at} of the log turned over`,
      apply: (to) => {
        const flipped = Buffer.from(bytes)
        flipped.writeUInt8(bytes.readUInt8(at) ^ (1 << bit), at)
        writeFileSync(join(to, log), flipped)
      },
      allowed: at >= lastBegins ? ['refused', 'whole', 'endGone'] : ['refused', 'whole'],
    }
  })
}

function wordsOf(bytes: number): number[] {
  return Array.from({ length: bytes / 4 }, (_, i) => i * 4)
}

/** Where the last commit of the log begins and ends. https://www.sqlite.org/fileformat2.html#the_write_ahead_log */
function lastCommitOf(bytes: Buffer): { lastBegins: number; end: number } {
  const frameBytes = frameHeaderBytes + pageBytes
  let lastBegins = logHeaderBytes
  let end = logHeaderBytes
  for (let at = logHeaderBytes; at + frameBytes <= bytes.length; at += frameBytes) {
    if (!bytes.subarray(at + 8, at + 16).equals(bytes.subarray(16, 24))) break
    if (bytes.readUInt32BE(at + 4) === 0) continue
    lastBegins = end
    end = at + frameBytes
  }
  return { lastBegins, end }
}

/** Null where something is wrong that was reported. */
async function outcomeOf(
  stage: Stage,
  dataDir: string,
  image: Image,
  report: (text: string) => void,
): Promise<Outcome | null> {
  const before = contentsOf(dataDir)
  let service: Service
  try {
    service = await stage.service({ dataDir })
  } catch {
    await judgeRefusal(stage, dataDir, report)
    if (contentsOf(dataDir) !== before) report('the refused start changed the files')
    return 'refused'
  }
  const { missing, unreadable } = await readAll(service.port, image, report)
  // A read that meets damage may end the process.
  service.kill('SIGKILL')
  await within(refusalMsMax, service.exited)
  if (unreadable > 0) return 'noticedWhenRead'
  if (missing.length === 0) return 'whole'
  // A commit of one connection holds one packet.
  if (missing.length === 1 && missing[0] === image.acknowledged.length - 1) return 'endGone'
  report(`${missing.length} packets are gone without a word`)
  return null
}

/** A look at a database without a log leaves an empty one, which says as little as none. */
function contentsOf(dataDir: string): string {
  const hasLog = existsSync(join(dataDir, log)) && statSync(join(dataDir, log)).size > 0
  return JSON.stringify(fingerprint(dataDir, hasLog ? [database, log] : [database]))
}

async function judgeRefusal(stage: Stage, dataDir: string, report: (text: string) => void): Promise<void> {
  const refusal = await startRefused(stage, { DATA_DIR: dataDir })
  if (refusal.code === null || refusal.code === 0) report(`the exit code is ${refusal.code}`)
  if (refusal.ms > patience(refusalMsMax)) report(`the refusal took ${Math.round(refusal.ms)} ms`)
  if (refusal.reasons.length !== 1 || refusal.stderr !== '')
    report(`not one clear line: ${JSON.stringify(refusal.reasons)} ${refusal.stderr}`)
}

/** Which of the acknowledged packets are missing, by their place in the order, and how many calls refuse to be read. */
async function readAll(
  port: number,
  { acknowledged }: Image,
  report: (text: string) => void,
): Promise<{ missing: readonly number[]; unreadable: number }> {
  const connection = new Connection(port)
  const stored = new Map<string, string>()
  const unreadable = new Set<string>()
  for (const call of new Set(acknowledged.map((attempt) => attempt.call)))
    try {
      const { packets } = await readCall(connection, call)
      for (const { sequence, contentHash } of packets) stored.set(`${call} ${sequence}`, contentHash)
    } catch {
      // An answer that says that it cannot be read is what is wanted; it is counted.
      unreadable.add(call)
    }
  connection.close()
  const missing: number[] = []
  for (const [i, { call, sequence, contentHash }] of acknowledged.entries()) {
    if (unreadable.has(call)) continue
    const found = stored.get(`${call} ${sequence}`)
    if (found === undefined) missing.push(i)
    else if (found !== contentHash) report(`wrong bytes of ${call}/${sequence}`)
  }
  return { missing, unreadable: unreadable.size }
}
