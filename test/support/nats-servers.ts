/**
 * Three real NATS servers on loopback, one cluster, as operators are told to configure them: fsync before the answer. Each has
 * a folder of its own, and is ended when the test is over. `NATS_SERVER` names the program (`test/nats/get-nats.sh FOLDER`
 * fetches it). Without it the tests are skipped and say so; with `NATS_REQUIRED=1`, as `.ci/run` sets it, that is a failure.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { after, before, describe, type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { atEnd } from './cleanup.js'
import { patience } from './patience.js'
import { temporaryFolder } from './service.js'

const program = process.env['NATS_SERVER'] ?? ''

/** A `describe` block; without the program one test that is skipped, because a file in which nothing ran counts as failed. */
export function describeWithNats(name: string, block: () => void): void {
  if (existsSync(program) || process.env['NATS_REQUIRED'] === '1') {
    describe(name, block)
    return
  }
  const reason =
    'NO NATS SERVER HERE: it was not tested (test/nats/get-nats.sh FOLDER, then NATS_SERVER=FOLDER/nats-server)'
  console.error(`!!! ${reason}`)
  test(name, { skip: reason }, () => {})
}

export interface NatsOptions {
  /** Lines that stand behind those of the server's configuration. */
  readonly lines?: readonly string[]
  /** Of the JetStream section, instead of those that operators are told to write. */
  readonly jetstream?: Readonly<Record<string, string>>
  /** Clients come over TLS, as `lines` say. */
  readonly isTls?: boolean
  /** Of each server's store, where it shall not be below the test's folder. */
  readonly storeFolder?: (name: string) => string
}

const jetstreamOptions = {
  sync_interval: 'always',
  max_memory_store: '64MB',
  max_file_store: '4GB',
  strict: 'true',
}

/** Below the ports of outgoing connections: nobody gets the port of a server that is down. */
let nextPort = 10_000 + ((process.pid * 9) % 9000)

async function takePort(): Promise<number> {
  for (;;) {
    const port = nextPort++
    const server = createServer().listen(port, '127.0.0.1')
    const isFree = await Promise.race([
      once(server, 'listening').then(() => true),
      once(server, 'error').then(() => false),
    ]).catch(() => false)
    if (!isFree) continue
    server.close()
    await once(server, 'close')
    return port
  }
}

interface Ports {
  readonly client: number
  readonly monitor: number
  readonly route: number
}

export class NatsServer {
  readonly name: string
  readonly folder: string
  readonly url: string
  readonly monitorUrl: string
  #child: ChildProcess | null = null

  constructor(name: string, folder: string, { client, monitor }: Ports, isTls: boolean) {
    this.name = name
    this.folder = folder
    this.url = isTls ? `tls://localhost:${client}` : `nats://127.0.0.1:${client}`
    this.monitorUrl = `http://127.0.0.1:${monitor}`
  }

  get isRunning(): boolean {
    return this.#child !== null
  }

  start(): void {
    const child = spawn(program, ['-c', join(this.folder, 'server.conf')], { stdio: 'ignore' })
    child.once('error', (error) => appendFileSync(join(this.folder, 'server.log'), `${error.message}\n`))
    this.#child = child
  }

  /** Answers for itself and, with JetStream, knows all that the others know. */
  async untilReady(): Promise<void> {
    const until = performance.now() + patience(30_000)
    for (;;) {
      const health = await monitored(this, 'healthz')
      if (health.status === 'ok') return
      if (performance.now() > until) throw new Error(`${this.name} is not ready:\n${this.log()}`)
      await sleep(50)
    }
  }

  log(): string {
    const path = join(this.folder, 'server.log')
    return existsSync(path) ? readFileSync(path, 'utf8') : ''
  }

  /** Stands still, and keeps its connections; `go` lets it go on. */
  pause(): void {
    this.#child?.kill('SIGSTOP')
  }

  go(): void {
    this.#child?.kill('SIGCONT')
  }

  async kill(): Promise<void> {
    const child = this.#child
    this.#child = null
    if (child === null || child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
}

export class NatsServers {
  readonly all: readonly NatsServer[]

  private constructor(all: readonly NatsServer[]) {
    this.all = all
  }

  /** Resolves once all three are ready. */
  static async start(t: TestContext, options: NatsOptions = {}): Promise<NatsServers> {
    const parent = temporaryFolder(t)
    const names = ['n1', 'n2', 'n3']
    const ports: Ports[] = []
    for (const _ of names)
      ports.push({ client: await takePort(), monitor: await takePort(), route: await takePort() })
    const servers = names.map((name, at) => {
      const folder = join(parent, name)
      const store = options.storeFolder?.(name) ?? join(folder, 'store')
      writeConfiguration({ name, folder, store, own: ports[at] as Ports, ports, options })
      return new NatsServer(name, folder, ports[at] as Ports, options.isTls === true)
    })
    for (const server of servers) atEnd(t, () => server.kill())
    for (const server of servers) server.start()
    await Promise.all(servers.map((server) => server.untilReady()))
    return new NatsServers(servers)
  }

  get urls(): string[] {
    return this.all.map(({ url }) => url)
  }

  get monitorUrls(): string[] {
    return this.all.map(({ monitorUrl }) => monitorUrl)
  }

  /** Who leads the stream, or without one JetStream itself; waits for an election. */
  async leader(stream?: string): Promise<NatsServer> {
    const until = performance.now() + patience(30_000)
    for (;;) {
      for (const server of this.all) {
        if (!server.isRunning) continue
        const name = leaderIn(await monitored(server, 'jsz?accounts=true&streams=true'), stream)
        const leader = this.all.find((each) => each.name === name)
        if (leader?.isRunning === true) return leader
      }
      if (performance.now() > until) throw new Error(`nobody leads ${stream ?? 'the servers'}`)
      await sleep(50)
    }
  }
}

/** The same servers for all tests of a `describe` block. To be called in the block. */
export function suiteNatsServers(options: NatsOptions = {}): () => NatsServers {
  const cleanups: (() => unknown)[] = []
  let servers: NatsServers | null = null
  before(async () => {
    const block = { after: (cleanup: () => unknown) => cleanups.push(cleanup) } as unknown as TestContext
    servers = await NatsServers.start(block, options)
  })
  after(async () => {
    for (const cleanup of cleanups.reverse()) await cleanup()
  })
  return () => {
    if (servers === null) throw new Error('the servers run only while tests do')
    return servers
  }
}

interface Monitored {
  readonly status?: string
  readonly config?: { readonly sync_interval?: number; readonly sync_always?: boolean }
  readonly meta_cluster?: { readonly leader?: string }
  readonly account_details?: readonly {
    readonly stream_detail?: readonly {
      readonly name: string
      readonly cluster?: { readonly leader?: string }
    }[]
  }[]
}

/** What a server says about itself; one that is not there, or stands still, says nothing. */
export function monitored({ monitorUrl }: NatsServer, path: string): Promise<Monitored> {
  return fetch(`${monitorUrl}/${path}`, { signal: AbortSignal.timeout(2000) }).then(
    (answer) => answer.json() as Promise<Monitored>,
    () => ({}),
  )
}

function leaderIn({ meta_cluster, account_details = [] }: Monitored, stream?: string): string | undefined {
  if (stream === undefined) return meta_cluster?.leader
  return account_details
    .flatMap(({ stream_detail = [] }) => stream_detail)
    .find(({ name }) => name === stream)?.cluster?.leader
}

interface Configuration {
  readonly name: string
  readonly folder: string
  readonly store: string
  readonly own: Ports
  readonly ports: readonly Ports[]
  readonly options: NatsOptions
}

function writeConfiguration({ name, folder, store, own, ports, options }: Configuration): void {
  mkdirSync(folder)
  const jetstream = Object.entries({
    store_dir: JSON.stringify(store),
    ...jetstreamOptions,
    ...options.jetstream,
  })
  const routes = ports.map(({ route }) => `nats-route://127.0.0.1:${route}`)
  const lines = [
    `server_name: ${name}`,
    `listen: 127.0.0.1:${own.client}`,
    `http: 127.0.0.1:${own.monitor}`,
    `log_file: ${JSON.stringify(join(folder, 'server.log'))}`,
    'max_payload: 17MB',
    `jetstream { ${jetstream.map(([key, value]) => `${key}: ${value}`).join(', ')} }`,
    `cluster { name: voicestream, listen: 127.0.0.1:${own.route}, routes: [${routes.join(', ')}] }`,
    ...(options.lines ?? []),
  ]
  writeFileSync(join(folder, 'server.conf'), `${lines.join('\n')}\n`)
}
