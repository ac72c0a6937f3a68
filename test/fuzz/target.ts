/** The service that is fuzzed, the account of what was put into it, and what must be true of both after every block. */
import { readMetrics } from '../support/metrics.js'
import type { Service } from '../support/service.js'
import { residentOf } from '../torture/memory.js'
import { killHard, Stage } from '../torture/stage.js'
import { Account, type Bearers } from './account.js'
import { fuzzOrigin, fuzzTokens } from './admission.js'
import { tryAuth } from './auth-trial.js'
import { tryHttp } from './http-trial.js'
import type { FuzzInput } from './input.js'
import { tryWebSocket } from './websocket-trial.js'

const tokenBearers: Bearers = {
  write: { authorization: `Bearer ${fuzzTokens.ingest}` },
  read: { authorization: `Bearer ${fuzzTokens.supervisor}` },
}
/** Without limits: a guess that is not looked at shows nothing. */
const guardedSettings = {
  INGEST_TOKENS: fuzzTokens.ingest,
  SUPERVISOR_TOKENS: fuzzTokens.supervisor,
  ADMIN_TOKENS: fuzzTokens.admin,
  ALLOWED_ORIGINS: fuzzOrigin,
  METRICS_PUBLIC: 'true',
  AUTH_FAILURES_PER_MIN: 0,
  RATE_LIMIT_READS_PER_S: 0,
}

export class Target {
  readonly account: Account
  readonly #stage = new Stage()
  readonly #service: Service
  #isDead = false
  #serverErrors = 0
  #logged = 0

  private constructor(service: Service, bearers: Bearers) {
    this.#service = service
    this.account = new Account(bearers)
    service.exited.then(() => {
      this.#isDead = true
    })
  }

  /** That of `auth` has tokens, all others have none. */
  static async start(isGuarded: boolean): Promise<Target> {
    const stage = new Stage()
    // A whole run takes longer than a quarter of an hour, and the bystanders stay as they are.
    const settings = { CALL_IDLE_TIMEOUT_MS: 86_400_000, ...(isGuarded ? guardedSettings : {}) }
    const service = await stage.service({ dataDir: stage.folder(), settings })
    const target = new Target(service, isGuarded ? tokenBearers : { write: {}, read: {} })
    target.#stage.after(() => stage.clear())
    await target.account.stageBystanders(target.#service.port)
    return target
  }

  get isDead(): boolean {
    return this.#isDead
  }

  get residentBytes(): number {
    return residentOf(this.#service.child.pid as number).bytes
  }

  /** What the input itself has shown. */
  async try(input: FuzzInput): Promise<readonly string[]> {
    if (this.#isDead) return []
    const { port } = this.#service
    try {
      if (input.area === 'auth') return await tryAuth(port, input, this.account)
      return await (input.area === 'ws' ? tryWebSocket(port, input) : tryHttp(port, input, this.account))
    } catch (error) {
      // The connection was refused: whether the process is gone is looked at in a moment.
      return [`no connection: ${error instanceof Error ? error.message : error}`]
    }
  }

  /** What can only be seen of the whole: the process, its calls, its log and its own count of 5xx. */
  async check(): Promise<readonly string[]> {
    // The end of the process is told a moment after that of its connections.
    await new Promise((resolve) => setImmediate(resolve))
    try {
      const live = await fetch(`${this.#service.url}/health/live`)
      if (live.status !== 200) return [`dead: health is answered ${live.status}`]
      return [...(await this.account.check(this.#service.port)), ...(await this.#errors())]
    } catch (error) {
      const { exitCode, signalCode } = this.#service.child
      const stderr = this.#service.errors.slice(-3).join(' ')
      this.#isDead = true
      return [`dead: ended with ${exitCode ?? signalCode ?? error} ${stderr}`]
    }
  }

  async #errors(): Promise<readonly string[]> {
    const findings: string[] = []
    const { log } = this.#service
    const bad = log.slice(this.#logged).filter(({ level }) => Number(level) >= 50)
    this.#logged = log.length
    if (bad[0] !== undefined)
      findings.push(`log: ${bad.length} errors, first ${JSON.stringify(bad[0]).slice(0, 500)}`)
    const readings = await readMetrics(this.#service)
    let count = 0
    for (const [name, value] of readings) if (/responses_total\{status="5/.test(name)) count += value
    if (count > this.#serverErrors)
      findings.push(`server error: ${count - this.#serverErrors} by its own count`)
    this.#serverErrors = count
    return findings
  }

  async end(): Promise<void> {
    if (!this.#isDead) await killHard(this.#service)
    await this.#stage.clear()
  }
}
