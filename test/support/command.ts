/** Commands of `voicestream`, to their end. */
import { spawn } from 'node:child_process'
import { resolve } from 'node:path'
import { Writable } from 'node:stream'
import { buffer, text } from 'node:stream/consumers'
import { pathToFileURL } from 'node:url'
import { mainPath } from './service.js'

export interface Ended {
  /** Null after a signal. */
  readonly code: number | null
  readonly out: Buffer
  readonly err: string
}

type Environment = Readonly<Record<string, string>>

/** As the user runs it: a process of its own. */
export async function runProgram(words: readonly string[], environment: Environment = {}): Promise<Ended> {
  const child = spawn(process.execPath, [mainPath(), ...words], {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const [code, out, err] = await Promise.all([
    new Promise<number | null>((resolve) => child.once('close', (ended) => resolve(ended))),
    buffer(child.stdout),
    text(child.stderr),
  ])
  return { code, out, err }
}

/** In this process, which takes a twentieth of the time. `main.ts` alone is left out. */
export async function runCommand(words: readonly string[], environment: Environment = {}): Promise<Ended> {
  const path = pathToFileURL(resolve(mainPath('cli/commands.js'))).href
  const { runCommand: run } = (await import(path)) as typeof import('../../src/cli/commands.js')
  const [out, err] = [new Collected(), new Collected()]
  // As `main.ts` does it.
  const umask = process.umask(0o077)
  try {
    const code = await run(words, {
      environment: { ...process.env, ...environment },
      nodeVersion: process.version,
      isRoot: process.getuid?.() === 0,
      terminal: { out, err, canMove: false, columns: 120 },
      outIsScreen: false,
      randomSeed: 1,
      readDotEnv: () => null,
      onSignal: () => () => {},
      onUncaught: () => {},
      endBy: cannotEnd,
      endAtOnce: cannotEnd,
      exit: cannotEnd,
    })
    return { code, out: out.bytes, err: err.bytes.toString() }
  } finally {
    process.umask(umask)
  }
}

function cannotEnd(): never {
  throw new Error('the command would have ended its process')
}

class Collected extends Writable {
  readonly #chunks: Buffer[] = []

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#chunks.push(chunk)
    done()
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#chunks)
  }
}

/** Lines for `POST /v1/packets`. */
export function bulkLines(
  callId: string,
  sequences: Iterable<number>,
  dataOf: (sequence: number) => string,
): string {
  return [...sequences]
    .map((sequence) =>
      JSON.stringify({
        call_id: callId,
        sequence,
        data: dataOf(sequence),
        timestamp: 1_700_000_000 + sequence / 50,
      }),
    )
    .join('\n')
}

export async function postLines(
  service: { readonly url: string },
  lines: string,
): Promise<{ accepted: number; duplicate: number; rejected: number; invalid: number }> {
  const answer = await fetch(`${service.url}/v1/packets`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson' },
    body: lines,
  })
  if (answer.status !== 202) throw new Error(`${answer.status}: ${await answer.text()}`)
  return (await answer.json()) as { accepted: number; duplicate: number; rejected: number; invalid: number }
}

export function numbers(first: number, end: number): number[] {
  return Array.from({ length: end - first }, (_, index) => first + index)
}
