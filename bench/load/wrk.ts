/**
 * wrk (C, in Debian) as the load generator for ceilings: one thread of it offers more than the service can take, and it
 * costs the two cores less than a generator in JavaScript would.
 *
 * Its quantiles are of a closed loop; version 4 corrects them for coordinated omission by the mean interval of a
 * connection's requests. For latency at a given load see `open-loop`.
 */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { CurvePoint } from '../measure/statistics.js'
import type { Stage } from '../stage/stage.js'
import { type CallSet, dataText } from './packets.js'

/**
 * How a request is put together. `format` is wrk's own `wrk.format`, as every script does it: it is what bounds wrk, at
 * about 50,000 requests a second. `lean` pieces the text together itself, so that the bare handler meets its own limit.
 */
export type WrkBuild = 'format' | 'lean'

const builds: Readonly<Record<WrkBuild, string>> = {
  format: `
local headers = {["Content-Type"] = "application/json"}
function build(path, body) return wrk.format("POST", path, headers, body) end
`,
  lean: `
function build(path, body)
  return "POST " .. path .. " HTTP/1.1\\r\\nHost: " .. host ..
    "\\r\\nContent-Type: application/json\\r\\nContent-Length: " .. #body .. "\\r\\n\\r\\n" .. body
end
`,
}

/** wrk calls `request` once before the start, to look at it, and never sends that. */
const script = (build: WrkBuild) => `
local n = -1
local prefix, calls, warm
local tail = ',"data":"${dataText}","timestamp":1700000000.02}'
function init(args)
  prefix, calls, warm, host = args[1], tonumber(args[2]), tonumber(args[3]), args[4]
end
${builds[build]}
function request()
  local turn = math.max(n, 0)
  local call = turn % calls
  n = n + 1
  local sequence = call % warm + 1 + math.floor(turn / calls)
  return build("/v1/call/stream/" .. prefix .. "-" .. call, '{"sequence":' .. sequence .. tail)
end
function done(summary, latency, requests)
  local points = {}
  for _, share in ipairs({0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.975, 0.99, 0.995, 0.999, 0.9995, 0.9999}) do
    points[#points + 1] = string.format("[%.17g,%.17g]", share, latency:percentile(share * 100) / 1000)
  end
  points[#points + 1] = string.format("[1,%.17g]", latency.max / 1000)
  local e = summary.errors
  io.write(string.format('{"requests":%d,"micros":%d,"errors":%d,"curve":[%s]}\\n', summary.requests,
    summary.duration, e.connect + e.read + e.write + e.status + e.timeout, table.concat(points, ",")))
end
`

export interface WrkFigures {
  readonly requests: number
  /** Requests a second. */
  readonly rate: number
  readonly p50: number
  readonly p99: number
  readonly p999: number
  readonly max: number
  /** Connections that broke, answers beyond 399, timeouts. */
  readonly errors: number
  readonly curve: readonly CurvePoint[]
}

export interface WrkOptions {
  readonly port: number
  readonly connections: number
  readonly seconds: number
  readonly set: CallSet
  readonly build?: WrkBuild | undefined
}

export function wrkVersion(): string | null {
  try {
    // wrk prints its version with its usage, and calls that a failure.
    execFileSync('wrk', ['-v'], { stdio: 'pipe', timeout: 10_000 })
    return 'wrk'
  } catch (error) {
    const { stdout } = error as { stdout?: Buffer }
    return /^wrk \S+/.exec(stdout?.toString() ?? '')?.[0] ?? null
  }
}

export function parseWrk(output: string): WrkFigures {
  const line = output.split('\n').find((text) => text.startsWith('{"requests"'))
  if (line === undefined) throw new Error(`wrk said nothing of what it did: ${output.slice(-500)}`)
  const { requests, micros, errors, curve } = JSON.parse(line) as {
    requests: number
    micros: number
    errors: number
    curve: readonly CurvePoint[]
  }
  const at = (share: number) => curve.find(([other]) => other === share)?.[1] ?? Number.NaN
  return {
    requests,
    rate: requests / (micros / 1e6),
    p50: at(0.5),
    p99: at(0.99),
    p999: at(0.999),
    max: at(1),
    errors,
    curve,
  }
}

/** The calls of the set must have been warmed up: wrk goes on with the sequence after that. */
export async function runWrk(stage: Stage, options: WrkOptions): Promise<WrkFigures> {
  const { port, connections, seconds, set, build = 'format' } = options
  const scriptPath = join(stage.folder, 'wrk.lua')
  writeFileSync(scriptPath, script(build))
  const host = `127.0.0.1:${port}`
  const load = [
    '-t1',
    `-c${connections}`,
    `-d${seconds}s`,
    '--timeout',
    '10s',
    '-s',
    scriptPath,
    `http://${host}`,
  ]
  const words = [set.prefix, String(set.calls), String(set.warmPackets), host]
  const child = spawn('wrk', [...load, '--', ...words], { stdio: ['ignore', 'pipe', 'inherit'] })
  stage.track(child)
  const timer = setTimeout(() => child.kill('SIGKILL'), (seconds + 30) * 1000)
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString()
  })
  const [code, signal] = await once(child, 'close')
  clearTimeout(timer)
  if (code !== 0) throw new Error(`wrk ended with ${code ?? signal}: ${output.slice(-500)}`)
  return parseWrk(output)
}
