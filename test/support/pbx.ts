/** One Asterisk (`test/pbx`) for many calls at once: its phones are programs of their own, started call by call. */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import type { TestContext } from 'node:test'
import { asteriskFolder, takePorts } from './asterisk.js'
import { atEnd } from './cleanup.js'

export interface PbxTargets {
  readonly ari?: string
  readonly media: string
  readonly audioSocket?: string
}

export interface Dialling {
  readonly extension: string
  /** A whole scenario of sipp. */
  readonly scenario: string
  readonly calls?: number
  /** Of the last pause of the scenario. */
  readonly talkMs: number
}

/** Its SIP port, and from there on: phones that are called, phones that call, and their media. */
const ports = { agent: 10, desk: 12, front: 14, callers: 30, media: 1200 }
const mediaPortsPerProgram = 10

export class Pbx {
  readonly #t: TestContext
  readonly #base: number
  readonly #run: string
  readonly #child: ReturnType<typeof spawn>
  #programs = 0
  #mediaPorts = 0

  private constructor(t: TestContext, base: number, run: string, child: ReturnType<typeof spawn>) {
    this.#t = t
    this.#base = base
    this.#run = run
    this.#child = child
  }

  /** Resolves once it takes calls. */
  static async start(t: TestContext, targets: PbxTargets, base = takePorts()): Promise<Pbx> {
    const child = spawn('test/pbx/run-call.sh', [asteriskFolder, 'none'], {
      env: {
        ...process.env,
        PORT_BASE: String(base),
        WS_URI: targets.media,
        ...(targets.ari === undefined ? {} : { ARI_OUT_URI: targets.ari }),
        ...(targets.audioSocket === undefined ? {} : { AS_ADDR: targets.audioSocket }),
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    atEnd(t, async () => {
      if (child.exitCode !== null || child.signalCode !== null) return
      child.kill('SIGTERM')
      await once(child, 'exit')
    })
    const said: string[] = []
    const run = await new Promise<string>((resolve, reject) => {
      for (const stream of [child.stdout, child.stderr])
        createInterface({ input: stream }).on('line', (line) => {
          said.push(line)
          const config = / -C (\S+)\/etc\/asterisk\.conf/.exec(line)?.[1]
          if (config !== undefined) resolve(config)
        })
      child.once('exit', (code) => reject(new Error(`Asterisk did not start (${code}): ${said.join('\n')}`)))
    })
    return new Pbx(t, base, run, child)
  }

  /** Of the same configuration, as after a reboot. */
  get base(): number {
    return this.#base
  }

  /** What the command line of Asterisk answers. */
  cli(command: string): string {
    const config = join(this.#run, 'etc', 'asterisk.conf')
    return execFileSync(join(asteriskFolder, 'bin', 'asterisk'), ['-C', config, '-rx', command], {
      encoding: 'utf8',
    })
  }

  /** A phone that answers, until the test is over. */
  answer(who: 'agent' | 'desk' | 'front', scenario: string): void {
    this.#sipp(scenario, this.#base + ports[who], who === 'agent' ? 150 : mediaPortsPerProgram * 2, [])
  }

  /** Resolves once the caller's side is over: with why it did not go as planned, or null. */
  call({ extension, scenario, talkMs, calls = 1 }: Dialling): Promise<string | null> {
    const port = this.#base + ports.callers + this.#programs
    return this.#sipp(scenario, port, mediaPortsPerProgram * Math.max(1, calls / 2), [
      ...[
        '-s',
        extension,
        '-d',
        String(talkMs),
        '-m',
        String(calls),
        '-r',
        String(calls),
        '-l',
        String(calls),
      ],
      ...['-timeout', '400', `127.0.0.1:${this.#base}`],
    ])
  }

  #sipp(scenario: string, port: number, mediaPorts: number, more: readonly string[]): Promise<string | null> {
    const name = `phone-${this.#programs++}`
    const file = join(this.#run, 'sipp', `${name}.xml`)
    writeFileSync(file, scenario.replaceAll('@RUN@', this.#run).replaceAll('@SIP_PORT@', String(this.#base)))
    const first = this.#base + ports.media + this.#mediaPorts
    this.#mediaPorts += mediaPorts
    const last = String(first + mediaPorts - 1)
    const media = ['-mi', '127.0.0.1', '-min_rtp_port', String(first), '-max_rtp_port', last]
    const errors = join(this.#run, 'sipp', `${name}.err`)
    const log = ['-nostdin', '-trace_err', '-error_file', errors]
    const args = ['-sf', file, '-i', '127.0.0.1', '-p', String(port), ...media, ...log, ...more]
    const child = spawn(join(asteriskFolder, 'bin', 'sipp'), args, {
      cwd: dirname(file),
      stdio: 'ignore',
      env: { ...process.env, TERM: 'dumb' },
    })
    const exited = once(child, 'exit')
    atEnd(this.#t, async () => {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
      await exited
    })
    return exited.then(([code]) =>
      code === 0
        ? null
        : `sipp ended with ${code}: ${existsSync(errors) ? readFileSync(errors, 'utf8') : ''}`,
    )
  }

  /** `kill -9` of Asterisk itself, and the end of what is around it. */
  async kill(): Promise<void> {
    const pid = Number(execFileSync('cat', [join(this.#run, 'run', 'asterisk.pid')], { encoding: 'utf8' }))
    process.kill(pid, 'SIGKILL')
    await once(this.#child, 'exit')
  }
}
