/** A command of `voicestream` as a process of its own, to its end. */
import { spawn } from 'node:child_process'
import { buffer, text } from 'node:stream/consumers'
import { mainPath } from './service.js'

export interface Ended {
  /** Null after a signal. */
  readonly code: number | null
  readonly out: Buffer
  readonly err: string
}

export async function runCommand(
  words: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<Ended> {
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
