/**
 * P15: the AI server fails in every way we know, over real sockets, and each call ends in time, with no more attempts
 * than it has, and nothing is left open. The account of requests is the server's; of ends, a supervisor's.
 */
import { readdirSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { OpenAiServer, type ReceivedRequest, wellBehaved } from '../support/openai-server.js'
import { eventually, get, type Service } from '../support/service.js'
import { SupervisorClient } from '../support/supervisor-client.js'
import { postTone } from '../support/tone-calls.js'
import { attemptMsMax, budgetMs, type ProviderMode, providerModes } from './provider-modes.js'
import type { Stage } from './stage.js'
import type { Verdict } from './verdict.js'

export interface ProviderFaultsPlan {
  readonly callsPerMode: number
  /** Only these, where some are named. */
  readonly modes?: readonly string[]
}

/** Beside the budget: a commit, the supervisor, a machine that is busy. */
const slackMs = 5000
/** What kernel buffers may take of an answer beside its bound. */
const answerBytesMax = 12 * 1024 * 1024
const socketsMore = 5

const settings = {
  AI_PROVIDER: 'openai',
  AI_API_KEY: 'key-of-the-torture',
  AI_TRANSCRIPTION_MODEL: 'whisper-1',
  AI_CHAT_MODEL: 'gpt-4o-mini',
  AI_BACKOFF_BASE_MS: 100,
  AI_ATTEMPT_TIMEOUT_MS: attemptMsMax,
  AI_BUDGET_MS: budgetMs,
  // The breaker would park what is to be counted here; it has scenarios of its own.
  AI_BREAKER_FAILURES: 0,
  DEFAULT_ENCODING: 'pcm_s16le',
}

export async function runProviderFaults(stage: Stage, plan: ProviderFaultsPlan): Promise<Verdict> {
  const elsewhere = await OpenAiServer.start()
  stage.after(() => elsewhere.stop())
  const all = providerModes(elsewhere.baseUrl)
  const modes = all.filter(({ name }) => plan.modes === undefined || plan.modes.includes(name))
  const server = await OpenAiServer.start()
  stage.after(() => server.stop())
  server.keepAliveMs = 1000
  const service = await stage.service({
    dataDir: stage.folder(),
    settings: { ...settings, AI_BASE_URL: server.baseUrl },
  })
  const supervisor = await SupervisorClient.connect(stage as unknown as TestContext, service)
  const findings: string[] = []
  let faults = 0
  for (const mode of modes) {
    const trial = new ModeTrial(mode, server, service, supervisor)
    findings.push(...(await trial.run(plan.callsPerMode)))
    faults += trial.faults
    if (trial.faults < plan.callsPerMode)
      findings.push(`${mode.name}: injected ${trial.faults} times in ${plan.callsPerMode} calls`)
  }
  if (elsewhere.connections > 0) findings.push(`a redirect was followed ${elsewhere.connections} times`)
  return {
    counts: {
      modes: modes.length,
      calls: modes.length * plan.callsPerMode,
      requests: server.requests.length,
    },
    faults,
    findings,
  }
}

/** Of one call, what its server was asked, by step. */
type Asked = { readonly transcription: ReceivedRequest[]; readonly chat: ReceivedRequest[] }

class ModeTrial {
  faults = 0
  readonly #mode: ProviderMode
  readonly #server: OpenAiServer
  readonly #service: Service
  readonly #supervisor: SupervisorClient
  readonly #asked = new Map<string, Asked>()
  readonly #findings: string[] = []

  constructor(mode: ProviderMode, server: OpenAiServer, service: Service, supervisor: SupervisorClient) {
    this.#mode = mode
    this.#server = server
    this.#service = service
    this.#supervisor = supervisor
  }

  /** Even calls meet the fault when they are heard, odd ones when they are understood. */
  async run(calls: number): Promise<readonly string[]> {
    const { name } = this.#mode
    const ids = Array.from({ length: calls }, (_, n) => `${name}-${n}`)
    await postTone(this.#service, `${name}-before`, 1)
    await this.#settled()
    const before = this.#sockets()
    this.#server.script = (request, index) => this.#reply(request, index)
    // On one connection, which is among the sockets before.
    for (const id of ids) await postTone(this.#service, id, 1)
    await this.#supervisor.until(() => ids.every((id) => this.#endOf(id) !== null), budgetMs + 60_000)
    for (const [n, id] of ids.entries()) await this.#judge(id, n % 2 === 0 ? 'transcription' : 'chat')
    await this.#settled()
    const more = this.#sockets() - before
    if (more > socketsMore) this.#find(`${more} sockets more than before`)
    return this.#findings
  }

  #find(finding: string): void {
    this.#findings.push(`${this.#mode.name}: ${finding}`)
  }

  #reply(request: ReceivedRequest, index: number) {
    const id = /^voicestream:([^#]+)#/.exec(String(request.headers['idempotency-key']))?.[1] ?? ''
    const asked = this.#asked.get(id) ?? { transcription: [], chat: [] }
    this.#asked.set(id, asked)
    const step = request.file === null ? 'chat' : 'transcription'
    const number = asked[step].push(request) - 1
    const isMet = Number(id.slice(id.lastIndexOf('-') + 1)) % 2 === (step === 'chat' ? 1 : 0)
    const reply = isMet ? this.#mode.reply(number) : null
    if (reply === null) return wellBehaved(request, index)
    this.faults++
    return reply
  }

  #endOf(id: string): 'ARCHIVED' | 'FAILED' | null {
    const events = this.#supervisor.of(id)
    if (events.some(({ event }) => event === 'ai_completed')) return 'ARCHIVED'
    return events.some(({ event }) => event === 'ai_failed') ? 'FAILED' : null
  }

  async #judge(id: string, step: keyof Asked): Promise<void> {
    const { ends, requests, error, waitMs = 0, isEndless = false } = this.#mode
    const end = this.#endOf(id)
    if (end !== ends) this.#find(`a call is ${end}`)
    const { body } = await get(this.#service, `/v1/call/${id}`)
    const ai = body['ai'] as { attempts: number; error: string | null }
    if (ai.attempts > 5) this.#find(`${ai.attempts} attempts at a step`)
    if (error !== null && !error.test(ai.error ?? '')) this.#find(`a call says ${ai.error}`)
    const states = this.#supervisor
      .of(id)
      .flatMap((event) => (event.event === 'state_changed' ? [event] : []))
    const tookMs = Date.parse(states.at(-1)?.at ?? '') - Date.parse(states.at(-2)?.at ?? '')
    if (!(tookMs <= budgetMs + slackMs)) this.#find(`a call took ${tookMs} ms`)
    const asked = this.#asked.get(id) ?? { transcription: [], chat: [] }
    if (step === 'chat' && asked.transcription.length !== 1)
      this.#find(`${asked.transcription.length} requests for a piece that was heard at once`)
    if (step === 'transcription' && requests !== null && asked.transcription.length !== requests)
      this.#find(`${asked.transcription.length} requests and not ${requests}`)
    for (const [at, request] of asked[step].entries()) {
      const previous = asked[step][at - 1]
      if (previous !== undefined && request.receivedAt - previous.receivedAt < waitMs - 50)
        this.#find('a Retry-After was not waited for')
      const openMs = (request.closedAt ?? Number.POSITIVE_INFINITY) - request.receivedAt
      if (isEndless && openMs > attemptMsMax + slackMs) this.#find(`an answer was read for ${openMs} ms`)
      if (request.bytesWritten > answerBytesMax) this.#find(`${request.bytesWritten} bytes were taken`)
    }
  }

  /** Connections that are kept open are the server’s to close. */
  async #settled(): Promise<void> {
    await eventually(
      async () => this.#server.openSockets,
      (count) => count === 0,
      20_000,
    ).catch(() => this.#find(`${this.#server.openSockets} sockets stay open`))
  }

  /** Not of files and loops: a thread of the store that begins when the service is 10 s old has some of each. */
  #sockets(): number {
    const folder = `/proc/${this.#service.child.pid}/fd`
    return readdirSync(folder).filter((name) => targetOf(join(folder, name)).startsWith('socket:')).length
  }
}

/** Empty for one that was closed meanwhile. */
function targetOf(descriptor: string): string {
  try {
    return readlinkSync(descriptor)
  } catch {
    return ''
  }
}
