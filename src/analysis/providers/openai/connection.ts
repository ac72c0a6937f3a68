/**
 * HTTP to one OpenAI-compatible server: what is sent there, and what may come back.
 *
 * The address is the operator's, but a name may resolve to anything: link-local addresses, where clouds serve their
 * credentials, are refused at the moment of connecting, so that no second look-up can differ from the checked one.
 * Redirects are not followed, because they would carry the key and the audio elsewhere. An answer is read up to
 * `responseBytesMax`; the caller's signal covers all of it. Neither the key nor an answer ever stands in an error.
 */
import { type LookupAddress, lookup } from 'node:dns'
import {
  type ClientRequest,
  Agent as HttpAgent,
  type IncomingMessage,
  request as requestHttp,
} from 'node:http'
import { Agent as HttpsAgent, request as requestHttps } from 'node:https'
import { BlockList, isIP, type LookupFunction } from 'node:net'
import { performance } from 'node:perf_hooks'
import { AccountRefused, ProviderUnavailable } from '../../provider.js'

export interface ConnectionOptions {
  /** Normally ends in `/v1`. */
  readonly baseUrl: URL
  readonly apiKey: string
  readonly responseBytesMax: number
  /** Connections that are kept open. */
  readonly socketsMax: number
}

export interface ProviderAnswer {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly text: string
  readonly latencyMs: number
  readonly bytesReceived: number
}

export interface ProviderMessage {
  readonly path: string
  readonly contentType: string
  /** Parts that stand behind each other: audio is not copied to have a boundary before it. */
  readonly body: readonly Buffer[]
  /** The same for every attempt at the same work. */
  readonly idempotencyKey: string
}

export class Connection {
  readonly #options: ConnectionOptions
  readonly #agent: HttpAgent | HttpsAgent

  constructor(options: ConnectionOptions) {
    this.#options = options
    const agentOptions = { keepAlive: true, maxSockets: options.socketsMax, lookup: lookupAllowed }
    this.#agent = this.#isTls ? new HttpsAgent(agentOptions) : new HttpAgent(agentOptions)
  }

  get #isTls(): boolean {
    return this.#options.baseUrl.protocol === 'https:'
  }

  /** Throws `ProviderUnavailable` where no answer came, and `AccountRefused` where nobody may be asked. */
  async post(message: ProviderMessage, signal: AbortSignal): Promise<ProviderAnswer> {
    const startedAt = performance.now()
    const request = this.#open(message, signal)
    try {
      const response = await this.#responseTo(request, message.body)
      // Nobody asked for a code; one that is small on the way may be gigabytes here.
      if ((response.headers['content-encoding'] ?? 'identity') !== 'identity')
        throw new ProviderUnavailable('an answer with a content coding')
      const { text, bytes } = await this.#textOf(response)
      return {
        status: response.statusCode ?? 0,
        headers: response.headers,
        text,
        latencyMs: Math.round(performance.now() - startedAt),
        bytesReceived: bytes,
      }
    } catch (error) {
      // Frees the socket of an answer that is not read to its end.
      request.destroy()
      if (signal.aborted) throw signal.reason
      if (error instanceof ProviderUnavailable) throw error
      throw new ProviderUnavailable(`no answer: ${codeOf(error)}`)
    }
  }

  #open(message: ProviderMessage, signal: AbortSignal): ClientRequest {
    const { path, contentType, idempotencyKey } = message
    const { baseUrl, apiKey } = this.#options
    const { hostname } = baseUrl
    if (isIP(bare(hostname)) !== 0) assertAllowed(bare(hostname))
    const options = {
      method: 'POST',
      agent: this.#agent,
      signal,
      headers: {
        'Content-Type': contentType,
        'Content-Length': bytesOf(message),
        Accept: 'application/json',
        'Accept-Encoding': 'identity',
        'Idempotency-Key': idempotencyKey,
        ...(apiKey === '' ? {} : { Authorization: `Bearer ${apiKey}` }),
      },
    }
    const url = new URL(`${baseUrl.href.replace(/\/+$/, '')}/${path}`)
    return this.#isTls ? requestHttps(url, options) : requestHttp(url, options)
  }

  #responseTo(request: ClientRequest, body: readonly Buffer[]): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      request.once('response', resolve)
      // Stays for the life of the request: an error without a listener would end the process.
      request.on('error', reject)
      request.cork()
      for (const part of body) request.write(part)
      request.end()
    })
  }

  async #textOf(response: IncomingMessage): Promise<{ text: string; bytes: number }> {
    const { responseBytesMax } = this.#options
    const parts: Buffer[] = []
    let bytes = 0
    for await (const part of response as AsyncIterable<Buffer>) {
      bytes += part.length
      // It may be one bad answer of a server that is else well.
      if (bytes > responseBytesMax)
        throw new ProviderUnavailable(`an answer of more than ${responseBytesMax} bytes`)
      parts.push(part)
    }
    return { text: decoded(Buffer.concat(parts, bytes), response.headers['content-type']), bytes }
  }

  close(): void {
    this.#agent.destroy()
  }
}

/** UTF-8 (RFC 8259), unless the answer begins otherwise or says otherwise. */
function decoded(bytes: Buffer, contentType = ''): string {
  const label = /^(?:\xff\xfe|\xfe\xff)/.test(bytes.toString('latin1', 0, 2))
    ? bytes[0] === 0xff
      ? 'utf-16le'
      : 'utf-16be'
    : (/;\s*charset="?([\w:.-]+)/i.exec(contentType)?.[1] ?? 'utf-8')
  try {
    return new TextDecoder(label).decode(bytes)
  } catch {
    // A character set that nobody knows.
    return bytes.toString('utf8')
  }
}

export function bytesOf({ body }: ProviderMessage): number {
  return body.reduce((bytes, part) => bytes + part.length, 0)
}

const refused = new BlockList()
refused.addSubnet('169.254.0.0', 16, 'ipv4')
refused.addSubnet('fe80::', 10, 'ipv6')
// The address of the metadata service on IPv6 (Amazon EC2).
refused.addSubnet('fd00:ec2::', 32, 'ipv6')
refused.addSubnet('0.0.0.0', 8, 'ipv4')

function assertAllowed(address: string): void {
  const family = isIP(address) === 6 ? 'ipv6' : 'ipv4'
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1]
  if (refused.check(address, family) || (mapped !== undefined && refused.check(mapped, 'ipv4')))
    throw new AccountRefused(
      'the server’s name resolves to a link-local address, which is refused',
      'address',
    )
}

const lookupAllowed: LookupFunction = (hostname, options, done) => {
  lookup(hostname, { ...options, all: true }, (error, addresses: LookupAddress[]) => {
    const [first] = addresses ?? []
    if (error !== null || first === undefined) return done(error ?? new Error('no address'), '', 4)
    try {
      for (const { address } of addresses) assertAllowed(address)
    } catch (refusal) {
      return done(refusal as Error, '', 4)
    }
    if (options.all === true) done(null, addresses)
    else done(null, first.address, first.family)
  })
}

function bare(hostname: string): string {
  return hostname.replace(/^\[|\]$/g, '')
}

/** `ECONNRESET` and the like; what else an error says may name addresses. */
function codeOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  return /^[A-Z][A-Z0-9_]{2,63}$/.test(code) ? code : 'the connection failed'
}
