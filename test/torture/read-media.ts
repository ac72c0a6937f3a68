/** What is stored of media streams, read back page by page. */
import { Connection } from './requests.js'

export interface StoredMedia {
  readonly sequence: number
  readonly data: Buffer
}

// biome-ignore lint/suspicious/noExplicitAny: the schemas of answers are other tests’.
type Answer = any

export async function readJson(connection: Connection, path: string): Promise<Answer> {
  const answer = await connection.get(path)
  if (answer.kind !== 'answered' || answer.status !== 200)
    throw new Error(`${path} was answered ${JSON.stringify(answer).slice(0, 300)}`)
  return JSON.parse(answer.text)
}

/** In the order in which the service gives them. */
export async function* packetsOf(port: number, call: string): AsyncGenerator<StoredMedia> {
  const connection = new Connection(port)
  for (let from: number | null = 0; from !== null; ) {
    const page = await readJson(connection, `/v1/call/${call}/packets?from=${from}&limit=1000`)
    for (const { sequence, data } of page.packets) yield { sequence, data: Buffer.from(data, 'base64') }
    from = page.next_from
  }
  connection.close()
}
