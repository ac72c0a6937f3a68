/**
 * A real nginx or Caddy in front of the service, with the file of `ops/proxy` as it is shipped but for its name, its
 * ports, its certificate and the service's address. Each runs in a folder of its own and is ended when the test is over.
 * Where there is none the tests are skipped and say so; with `NGINX_REQUIRED=1` or `CADDY_REQUIRED=1` (as `.ci/run`
 * sets them) that is a failure.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { request } from 'node:https'
import { createServer, connect as plainConnect } from 'node:net'
import { join } from 'node:path'
import { after, before, type TestContext } from 'node:test'
import { connect } from 'node:tls'
import { type ClientOptions, WebSocket } from 'ws'
import { RawConnection } from './raw-connection.js'
import { temporaryFolder } from './service.js'

export const proxyHost = 'voice.example.com'
/** Where the service is when it has not the whole host. */
export const prefix = '/voicestream/'

export interface RunningProxy {
  readonly port: number
  /** The certificate that it shows, PEM. */
  readonly certificate: string
}

type Cleanup = Pick<TestContext, 'after'>
/** Texts of the shipped file and what stands there in the test instead. */
type Changes = readonly (readonly [shipped: string, here: string])[]

const programs = {
  nginx: ['/usr/sbin/nginx', '/usr/bin/nginx', '/usr/local/sbin/nginx'],
  caddy: ['/usr/bin/caddy', '/usr/local/bin/caddy'],
}
export type ProxyName = keyof typeof programs
export const proxyNames: readonly ProxyName[] = ['nginx', 'caddy']

function programOf(name: ProxyName): string | undefined {
  return programs[name].find((path) => existsSync(path))
}

/** For `describe`: why the block is left out, or false. */
export function skippedWithout(name: ProxyName): string | false {
  const isRequired = process.env[`${name.toUpperCase()}_REQUIRED`] === '1'
  if (programOf(name) !== undefined || isRequired) return false
  const reason = `NO ${name.toUpperCase()} HERE: its file was not tested (Debian: apt-get install ${name})`
  console.error(`!!! ${reason}`)
  return reason
}

export interface ProxyOptions {
  readonly servicePort: number
  /** Its own, where that must be known before. */
  readonly port?: number
  /** As the file says it for a service that has a path of the host, not the whole of it. */
  readonly isUnderPath?: boolean
}

export function startProxy(t: TestContext, name: ProxyName, options: ProxyOptions): Promise<RunningProxy> {
  return name === 'nginx' ? startNginx(t, options) : startCaddy(t, options)
}

/** One proxy for all tests of a `describe` block. To be called in the block, after the service's. */
export function suiteProxy(name: ProxyName, options: () => ProxyOptions): () => RunningProxy {
  const cleanups: (() => unknown)[] = []
  let proxy: RunningProxy | null = null
  before(async () => {
    const block = { after: (cleanup: () => unknown) => cleanups.push(cleanup) } as unknown as TestContext
    proxy = await startProxy(block, name, options())
  })
  after(async () => {
    for (const cleanup of cleanups.reverse()) await cleanup()
  })
  return () => {
    if (proxy === null) throw new Error('the proxy runs only while tests do')
    return proxy
  }
}

async function startNginx(t: TestContext, options: ProxyOptions): Promise<RunningProxy> {
  const { servicePort, port = await freePort(), isUnderPath = false } = options
  const folder = temporaryFolder(t)
  const { certificate, certificateFile, keyFile } = makeCertificate(folder)
  const site = changed('ops/proxy/nginx.conf', [
    ['server 127.0.0.1:8000;', `server 127.0.0.1:${servicePort};`],
    ['listen 443 ssl http2;', `listen 127.0.0.1:${port} ssl http2;`],
    ['listen [::]:443 ssl http2;', ''],
    ['/etc/letsencrypt/live/voice.example.com/fullchain.pem', certificateFile],
    ['/etc/letsencrypt/live/voice.example.com/privkey.pem', keyFile],
  ])
  writeFileSync(join(folder, 'voicestream.conf'), isUnderPath ? underPath(site) : site)
  mkdirSync(join(folder, 'temp'))
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (kind) => `${kind}_temp_path ${join(folder, 'temp', kind)};`,
  )
  const config = [
    // The folder is its owner's alone, and for root nginx would work as somebody else.
    process.getuid?.() === 0 ? 'user root;' : '',
    'daemon off;',
    'worker_processes 1;',
    'error_log stderr warn;',
    `pid ${join(folder, 'nginx.pid')};`,
    'events { worker_connections 1024; }',
    `http { ${temporary.join(' ')} include ${join(folder, 'voicestream.conf')}; }`,
  ]
  writeFileSync(join(folder, 'nginx.conf'), config.join('\n'))
  const args = ['-p', folder, '-c', join(folder, 'nginx.conf'), '-e', 'stderr']
  await run(t, 'nginx', args, port)
  return { port, certificate }
}

async function startCaddy(t: TestContext, options: ProxyOptions): Promise<RunningProxy> {
  const { servicePort, port = await freePort(), isUnderPath = false } = options
  const folder = temporaryFolder(t)
  const { certificate, certificateFile, keyFile } = makeCertificate(folder)
  const site = changed('ops/proxy/Caddyfile', [
    [`${proxyHost} {`, `${proxyHost}:${port} {\n\tbind 127.0.0.1\n\ttls ${certificateFile} ${keyFile}`],
    ['reverse_proxy 127.0.0.1:8000 {', `reverse_proxy 127.0.0.1:${servicePort} {`],
  ])
  // No administration, no other port, nothing asked of an authority.
  const everywhere = `{\n\tadmin off\n\tauto_https disable_redirects\n}\n`
  const file = join(folder, 'Caddyfile')
  writeFileSync(file, everywhere + (isUnderPath ? underPath(site) : site))
  const home = { HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder }
  await run(t, 'caddy', ['run', '--adapter', 'caddyfile', '--config', file], port, home)
  return { port, certificate }
}

/** Puts the lines behind "Under a path", which are comments, in place of those before them. */
function underPath(site: string): string {
  const [, head = '', instead = '', end = ''] =
    /^(.*?)\n[^\n]*# The whole host.*?\n[^\n]*# Under a path[^\n]*\n(.*)(\n\}\s*)$/s.exec(site) ?? []
  if (instead === '') throw new Error('the file does not say how the service is put under a path')
  return `${head}\n${instead.replaceAll(/^(\s*)# ?/gm, '$1')}${end}`
}

/** Each text must be there once: a test of another file would prove nothing. */
function changed(path: string, changes: Changes): string {
  return changes.reduce(
    (text, [shipped, here]) => {
      const parts = text.split(shipped)
      if (parts.length !== 2) throw new Error(`${path} has “${shipped}” ${parts.length - 1} times`)
      return parts.join(here)
    },
    readFileSync(path, 'utf8'),
  )
}

async function run(
  t: Cleanup,
  name: ProxyName,
  args: readonly string[],
  port: number,
  environment: Readonly<Record<string, string>> = {},
): Promise<void> {
  const program = programOf(name)
  if (program === undefined) throw new Error(`${name} is required here, and there is none`)
  const child = spawn(program, args, {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const said: string[] = []
  child.stdout.on('data', (text: Buffer) => said.push(text.toString()))
  child.stderr.on('data', (text: Buffer) => said.push(text.toString()))
  const ended = once(child, 'exit')
  t.after(async () => {
    if (child.exitCode === null) child.kill('SIGTERM')
    await ended
  })
  await untilListening(child, port, () => `${name}: ${said.join('')}`)
}

async function untilListening(child: ChildProcess, port: number, said: () => string): Promise<void> {
  const until = performance.now() + 15_000
  for (;;) {
    if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}; ${said()}`)
    const isOpen = await new Promise<boolean>((resolve) => {
      const socket = plainConnect(port, '127.0.0.1')
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
      socket.once('connect', () => socket.destroy())
    })
    if (isOpen) return
    if (performance.now() > until) throw new Error(`it does not listen after 15 s; ${said()}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}

function makeCertificate(folder: string) {
  const certificateFile = join(folder, 'certificate.pem')
  const keyFile = join(folder, 'key.pem')
  const subject = ['-subj', `/CN=${proxyHost}`, '-addext', `subjectAltName=DNS:${proxyHost},IP:127.0.0.1`]
  execFileSync(
    'openssl',
    ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
      .concat(subject)
      .concat(['-keyout', keyFile, '-out', certificateFile]),
    { stdio: 'ignore' },
  )
  return { certificateFile, keyFile, certificate: readFileSync(certificateFile, 'utf8') }
}

/** A connection to the proxy with its TLS, for bytes that no HTTP client would send. */
export async function openRaw(t: Cleanup, proxy: RunningProxy): Promise<RawConnection> {
  const socket = connect({ ...tlsOptions(proxy), ALPNProtocols: ['http/1.1'] })
  t.after(() => socket.destroy())
  await once(socket, 'secureConnect')
  return RawConnection.over(socket)
}

/** A supervisor's socket through the proxy, as the page of that name opens it. */
export function openSocket(
  t: Cleanup,
  proxy: RunningProxy,
  query: string,
  headers: Readonly<Record<string, string>> = {},
): WebSocket {
  const { ca, servername } = tlsOptions(proxy)
  const options: ClientOptions & { readonly servername: string } = {
    ca,
    servername,
    headers: { host: proxyHost, ...headers },
  }
  const socket = new WebSocket(`wss://127.0.0.1:${proxy.port}/ws/supervisor${query}`, options)
  t.after(() => socket.terminate())
  return socket
}

function tlsOptions({ port, certificate }: RunningProxy) {
  return { host: '127.0.0.1', port, servername: proxyHost, ca: certificate }
}

export interface ProxiedRequest {
  readonly method?: string
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
  /** One of this machine's addresses: whom the proxy sees. */
  readonly from?: string
}

export interface ProxiedAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
}

export async function sendThrough(proxy: RunningProxy, asked: ProxiedRequest): Promise<ProxiedAnswer> {
  const { method = 'GET', path, headers = {}, body, from } = asked
  const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }
  const sent = request({
    ...tlsOptions(proxy),
    agent: false,
    method,
    path,
    headers: { host: proxyHost, ...length, ...headers },
    ...(from === undefined ? {} : { localAddress: from }),
  })
  sent.end(body)
  const [answer] = (await once(sent, 'response')) as [IncomingMessage]
  const parts: Buffer[] = []
  for await (const part of answer) parts.push(part)
  return {
    status: answer.statusCode ?? 0,
    headers: answer.headers,
    text: Buffer.concat(parts).toString('utf8'),
  }
}
