/** Starts that must be refused: what the process said, and how soon it was gone. */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { lstatSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { mainPath, quickSettings } from '../support/service.js'
import { epochMs, type Stage, within } from './stage.js'

export interface Refusal {
  /** Null: it was still running after `refusalMsMax`. */
  readonly code: number | null
  /** From its first line to its end: how long node itself takes to start says nothing about the service. */
  readonly ms: number
  /** The reasons that it gave, a line of the log each. */
  readonly reasons: readonly string[]
  readonly stderr: string
}

interface LogLine {
  readonly level: number
  readonly time: string
  readonly msg: string
  readonly reason?: string
}

const refusalMsMax = 8000

export async function startRefused(
  stage: Stage,
  settings: Readonly<Record<string, string | number>>,
): Promise<Refusal> {
  const variables = Object.entries({ ...quickSettings, PORT: 0, ...settings })
  const environment = Object.fromEntries(
    variables.map(([key, value]) => [`VOICESTREAM_${key}`, String(value)]),
  )
  const child = spawn(process.execPath, [mainPath()], {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  stage.after(() => child.kill('SIGKILL'))
  const output = { stdout: '', stderr: '' }
  child.stdout.on('data', (chunk) => {
    output.stdout += chunk
  })
  child.stderr.on('data', (chunk) => {
    output.stderr += chunk
  })
  const closed = once(child, 'close')
  const end = await within(refusalMsMax, closed)
  const endedAt = epochMs()
  const lines = output.stdout
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as LogLine)
  const startedAt = Date.parse(lines[0]?.time ?? '')
  const fatal = lines.filter(({ level }) => level >= 50)
  return {
    code: end === null ? null : child.exitCode,
    ms: endedAt - startedAt,
    reasons: fatal.map(({ msg, reason }) => `${msg}: ${reason}`),
    stderr: output.stderr,
  }
}

/** The files of a folder and what is in them, so that a refused start can be shown to have changed nothing. */
export function fingerprint(folder: string, names: readonly string[]): Readonly<Record<string, string>> {
  const present = new Set(readdirSync(folder))
  const entries = names.map((name) => {
    const path = join(folder, name)
    if (!present.has(name)) return [name, 'absent'] as const
    if (lstatSync(path).isDirectory()) return [name, `folder of ${readdirSync(path).length}`] as const
    return [name, createHash('sha256').update(readFileSync(path)).digest('hex')] as const
  })
  return Object.fromEntries(entries)
}
