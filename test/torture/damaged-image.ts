/**
 * A database for `damaged-bytes`: calls of every state, made by the service itself and stopped cleanly, with an account of
 * what was sent. Enough calls that tables and indexes have pages above their leaves, and some erased, so that pages are free.
 */
import { eventually, get, post, type Service } from '../support/service.js'
import { contentHash } from './attempts.js'
import type { Random } from './random.js'
import { Connection } from './requests.js'
import type { Stage } from './stage.js'

export interface SentCall {
  readonly id: string
  readonly state: string
  readonly isAudio: boolean
  readonly agent: string | null
  readonly packets: ReadonlyMap<number, { readonly data: string; readonly timestamp: number }>
  /** Empty where nothing is heard of it. */
  readonly words: readonly string[]
}

export interface Image {
  readonly folder: string
  readonly calls: readonly SentCall[]
}

const dayMs = 86_400_000
/** Nothing moves while it is looked at: attempts do not end, and no deadline comes. */
export const stillSettings = {
  GRACE_PERIOD_MS: dayMs,
  CALL_IDLE_TIMEOUT_MS: dayMs,
  AI_ATTEMPT_TIMEOUT_MS: 600_000,
  AI_BUDGET_MS: dayMs,
  AI_SIMULATED_LATENCY_MIN_MS: 600_000,
  AI_SIMULATED_LATENCY_MAX_MS: 600_000,
} as const

interface Batch {
  readonly prefix: string
  readonly count: number
  readonly isAudio: boolean
  readonly packets: number
  readonly completes: boolean
  readonly state: string
}

const vocabulary = ['invoice', 'refund', 'delivery', 'password', 'contract', 'thanks', 'broken', 'tomorrow']

export async function makeImage(stage: Stage, random: Random): Promise<Image> {
  const folder = stage.folder()
  const calls: SentCall[] = []
  const run = async (settings: Readonly<Record<string, string | number>>, batches: readonly Batch[]) => {
    const service = await stage.service({ dataDir: folder, settings })
    for (const batch of batches)
      for (let i = 0; i < batch.count; i++) {
        const call = planned(`${batch.prefix}-${i}`, batch, random)
        await send(service, call, batch)
        calls.push(call)
      }
    for (const { prefix, count, state } of batches)
      for (let i = 0; i < count; i++)
        await eventually(
          () => get(service, `/v1/call/${prefix}-${i}`),
          ({ body }) => body['state'] === state,
        )
    return async () => {
      service.kill('SIGTERM')
      if ((await service.exited) !== 0) throw new Error('the service did not stop cleanly')
    }
  }
  const batch = { isAudio: false, packets: 5, completes: true, state: 'ARCHIVED' }
  const ended = [
    { ...batch, prefix: 'short', count: 70 },
    { ...batch, prefix: 'long', count: 4, packets: 300 },
    // The local provider hears nothing.
    { ...batch, prefix: 'failed', count: 6, isAudio: true, packets: 20, state: 'FAILED' },
  ]
  await (await run({ AI_PROVIDER: 'local', GRACE_PERIOD_MS: 0, AI_MAX_ATTEMPTS: 1 }, ended))()
  await eraseSome(stage, folder, calls, random)
  const heard = { ...batch, prefix: 'heard', count: 6, isAudio: true, packets: 120 }
  await (await run({ GRACE_PERIOD_MS: 0 }, [heard]))()
  const waiting = { ...batch, prefix: 'waiting', count: 5, state: 'PROCESSING_AI' }
  await (await run({ ...stillSettings, GRACE_PERIOD_MS: 0 }, [waiting]))()
  const open = [
    { ...batch, prefix: 'late', count: 5, state: 'COMPLETED' },
    { ...batch, prefix: 'open', count: 8, packets: 80, completes: false, state: 'IN_PROGRESS' },
  ]
  await (await run(stillSettings, open))()
  return { folder, calls }
}

function planned(id: string, { isAudio, packets, state }: Batch, random: Random): SentCall {
  const sent = new Map<number, { data: string; timestamp: number }>()
  const words = new Set<string>()
  for (let sequence = 0; sequence < packets; sequence++) {
    if (sequence > 0 && random.chance(0.06)) continue
    const word = random.pick(vocabulary)
    words.add(word)
    const text = `${word} ${id} ${sequence} ${random.integer(0, 1e9)}`
    const data = isAudio ? Buffer.alloc(160, random.integer(0, 255)).toString('base64') : text
    sent.set(sequence, { data, timestamp: 1_700_000_000 + sequence / 50 })
  }
  const isHeard = state === 'ARCHIVED' && !isAudio
  const agent = random.chance(0.6) ? `agent-${random.integer(0, 5)}` : null
  return { id, state, isAudio, agent, packets: sent, words: isHeard ? [...words] : [] }
}

async function send(service: Service, call: SentCall, { packets, completes }: Batch): Promise<void> {
  const { id, isAudio, agent } = call
  const media = isAudio
    ? { encoding: 'mulaw', sample_rate: 8000, channels: 1 }
    : { encoding: 'text', sample_rate: 8000, channels: 1 }
  const details = agent === null ? {} : { agent, queue: 'sales', metadata: { crm: `crm-${id}` } }
  const started = await post(service, `/v1/call/start/${id}`, { media, ...details })
  if (started.status !== 202) throw new Error(`start of ${id}: ${JSON.stringify(started.body)}`)
  const lines = [...call.packets].map(([sequence, packet]) =>
    JSON.stringify({ call_id: id, sequence, ...packet }),
  )
  const connection = new Connection(service.port)
  const answer = await connection.post('/v1/packets', lines.join('\n'), 'application/x-ndjson')
  if (answer.kind !== 'answered' || answer.status !== 202)
    throw new Error(`packets of ${id}: ${JSON.stringify(answer)}`)
  if (completes) await post(service, `/v1/call/complete/${id}`, { total_packets: packets })
  connection.close()
}

async function eraseSome(stage: Stage, folder: string, calls: SentCall[], random: Random): Promise<void> {
  const service = await stage.service({ dataDir: folder, settings: stillSettings })
  const erased = [...calls.splice(-8, 2), ...calls.splice(random.integer(0, 40), 15)]
  for (const { id } of erased) await fetch(`${service.url}/v1/call/${id}`, { method: 'DELETE' })
  service.kill('SIGTERM')
  await service.exited
}

/** As `contentHash` has it of what is read back. */
export function hashesOf({ packets }: SentCall): ReadonlyMap<number, string> {
  return new Map(
    [...packets].map(([sequence, { data, timestamp }]) => [sequence, contentHash(data, timestamp)]),
  )
}
