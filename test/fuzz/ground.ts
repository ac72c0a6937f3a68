/** What generators share: where an input may write, and a valid request to begin from. */
import type { Random } from '../torture/random.js'
import type { FuzzInput } from './input.js'

export interface Ground {
  readonly random: Random
  /** Calls that valid inputs of the block write to. */
  readonly calls: readonly string[]
  /** One that is only said to be, and has no packets. */
  readonly started: string
  /** Its number in the run is the number of its packet, so that what is stored tells which input stored it. */
  readonly number: number
}

export type Generator = (ground: Ground) => readonly (string | Buffer)[]

export function inputOf(
  area: FuzzInput['area'],
  name: string,
  writes: readonly (string | Buffer)[],
): FuzzInput {
  const parts = writes.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : part))
  return { area, name, writes: parts.filter((part) => part.length > 0) }
}

export const packetText = ({ number }: Ground): string =>
  `{"sequence":${number},"data":"fuzz ${number}","timestamp":1700000000.5}`

export const packetPath = ({ random, calls }: Ground): string =>
  `/v1/call/stream/${encodeURIComponent(random.pick(calls))}`

export function request(
  line: string,
  lines: readonly string[],
  body: string | Buffer = '',
  type = 'application/json',
): Buffer {
  const typeLines = type === '' ? [] : [`Content-Type: ${type}`]
  const head = [line, 'Host: localhost', ...typeLines, ...lines].join('\r\n')
  return Buffer.concat([Buffer.from(`${head}\r\n\r\n`, 'latin1'), asBytes(body)])
}

const asBytes = (body: string | Buffer) => (typeof body === 'string' ? Buffer.from(body, 'utf8') : body)

/** The packet of this input, as every PBX would send it. */
export function validPacket(ground: Ground, lines: readonly string[] = []): Buffer {
  const body = packetText(ground)
  return request(`POST ${packetPath(ground)} HTTP/1.1`, [`Content-Length: ${body.length}`, ...lines], body)
}

/** A request that lies where only a wrong reading of the one before it finds it. */
export function hiddenRequest({ number }: Ground): Buffer {
  const body = `{"sequence":${number},"data":"hidden","timestamp":1}`
  return request(`POST /v1/call/stream/hidden-${number} HTTP/1.1`, [`Content-Length: ${body.length}`], body)
}

/** Cut at so many places. */
export function cut(bytes: Buffer, places: readonly number[]): readonly Buffer[] {
  const sorted = [...new Set(places)].sort((a, b) => a - b)
  return [0, ...sorted].map((from, index) => bytes.subarray(from, sorted[index] ?? bytes.length))
}

const telling = '\0\t\n\r "%:,;/\\?#[]{}()<>@=+-._~0123456789aAfFzZ\x7f\x80\xff'

/** A few bytes changed, put in, taken away, doubled or moved. */
export function mutated(bytes: Buffer, random: Random): Buffer {
  let result = bytes
  for (let times = random.integer(1, 4); times > 0; times--) {
    const at = random.integer(0, result.length)
    const length = random.chance(0.7) ? 1 : random.integer(1, 24)
    const [head, tail] = [result.subarray(0, at), result.subarray(at)]
    const byte = random.chance(0.6)
      ? telling.charCodeAt(random.integer(0, telling.length - 1))
      : random.integer(0, 255)
    const rest = tail.subarray(length)
    result = Buffer.concat(
      random.pick([
        [head, Buffer.of(byte), rest],
        [head, Buffer.of(byte), tail],
        [head, rest],
        [head, tail.subarray(0, length), tail],
        [head, rest, tail.subarray(0, length)],
      ]),
    )
  }
  return result
}
