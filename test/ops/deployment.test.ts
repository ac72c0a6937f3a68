/**
 * What runs the service for an operator: the image, the compose file, the systemd unit. There is no container engine
 * here, so this holds what can be held without one: commands that do what they say, and bounds that fit those of the
 * service.
 */
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, test } from 'node:test'
import { parse } from 'yaml'
import { readConfig } from '../../src/config/config.js'
import { environmentPrefix } from '../../src/config/settings.js'
import { limits } from '../../src/limits.js'
import { mainPath, startService, temporaryFolder } from '../support/service.js'

const dockerfile = readFileSync('Dockerfile', 'utf8').replaceAll(/\\\n\s*/g, ' ')
const unit = readFileSync('ops/systemd/voicestream.service', 'utf8')
const compose = parse(readFileSync('compose.yaml', 'utf8')) as {
  readonly services: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  readonly volumes: Readonly<Record<string, unknown>>
}

/** All that an image has of a setting, as the service would read them. */
function imageEnvironment(): Record<string, string> {
  const [, variables = ''] = /^ENV (.*)$/m.exec(dockerfile) ?? []
  return Object.fromEntries(
    [...variables.matchAll(/(\w+)=(\S+)/g)].map(([, name = '', value = '']) => [name, value]),
  )
}

function unitValues(key: string): readonly string[] {
  return [...unit.matchAll(new RegExp(`^${key}=(.*)$`, 'gm'))].map(([, value = '']) => value)
}

async function exitCodeOf(command: readonly string[], port: number): Promise<number | null> {
  const [program = '', ...args] = command
  const child = spawn(program, args, {
    env: { ...process.env, VOICESTREAM_PORT: String(port) },
    stdio: 'ignore',
  })
  const [code] = await once(child, 'exit')
  return code as number | null
}

describe('the image', () => {
  test('is healthy while the service is ready, and not when nobody answers', async (t) => {
    const [, text = ''] = /^HEALTHCHECK .* CMD (\[.*\])$/m.exec(dockerfile) ?? []
    const command = JSON.parse(text) as string[]
    const service = await startService(t)
    assert.equal(await exitCodeOf(command, service.port), 0)
    service.kill('SIGKILL')
    await service.exited
    assert.equal(await exitCodeOf(command, service.port), 1)
  })

  test('has settings that the service takes, a user without privileges, and the Node of package.json', () => {
    const config = readConfig({ args: [], environment: imageEnvironment(), dotEnv: null })
    assert.deepEqual([config.HOST, config.PORT, config.DATA_DIR], ['0.0.0.0', 8000, '/data'])
    assert.match(dockerfile, /^USER [1-9]\d+:[1-9]\d+$/m)
    assert.equal(JSON.parse(readFileSync('package.json', 'utf8')).engines.node, '>=20.19')
    const bases = [...dockerfile.matchAll(/^FROM (\S+)/gm)].map(([, base]) => base)
    assert.deepEqual(bases, Array(2).fill('node:20-bookworm-slim'))
    assert.match(dockerfile, /^CMD \["node"/m, 'the process gets the signals itself')
  })

  test('is built from files that there are and that .dockerignore lets in', () => {
    const admitted = readFileSync('.dockerignore', 'utf8').match(/(?<=^!).*$/gm) ?? []
    const copied = [...dockerfile.matchAll(/^COPY (?!--)(.*) \S+$/gm)].flatMap(([, names = '']) =>
      names.split(' '),
    )
    assert.deepEqual(copied.toSorted(), [...admitted].toSorted())
    for (const name of copied) assert(existsSync(name), name)
  })
})

describe('the compose file', () => {
  test('takes from the service what it does not need, and leaves it the time to stop', () => {
    const service = compose.services['voicestream'] ?? {}
    assert.equal(service['read_only'], true)
    assert.deepEqual(service['cap_drop'], ['ALL'])
    assert.deepEqual(service['security_opt'], ['no-new-privileges:true'])
    assert.deepEqual(service['volumes'], ['voicestream-data:/data'])
    const [, seconds] = /^(\d+)s$/.exec(String(service['stop_grace_period'])) ?? []
    assert(Number(seconds) >= 15 && Number(seconds) * 1000 > limits.stopMsMax)
  })

  test('starts Prometheus and Grafana only on demand, with files that there are', () => {
    for (const name of ['prometheus', 'grafana']) {
      const { profiles, volumes } = compose.services[name] as { profiles: string[]; volumes: string[] }
      assert.deepEqual(profiles, ['monitoring'])
      for (const volume of volumes) {
        const [source = ''] = volume.split(':')
        assert(source.startsWith('./') ? existsSync(source) : source in compose.volumes, source)
      }
    }
    const prometheus = parse(readFileSync('ops/prometheus/prometheus.yml', 'utf8'))
    assert.deepEqual(prometheus.rule_files, ['alerts.yml'])
    assert.equal(prometheus.scrape_configs[0].job_name, 'voicestream', 'the alerts name the job')
  })
})

describe('the backup timer', () => {
  const backupUnit = readFileSync('ops/systemd/voicestream-backup.service', 'utf8')
  const keptIn = '/var/lib/voicestream-backups'
  /** As systemd runs it, in another folder. */
  const commandOf = (key: string, folder: string) =>
    (new RegExp(`^${key}=(.*)$`, 'm').exec(backupUnit)?.[1] ?? '')
      .replaceAll('%%', '%')
      .replaceAll('$$', '$')
      .replaceAll(keptIn, folder)

  test('makes a backup that verifies, and deletes those that are older than a fortnight', async (t) => {
    const service = await startService(t)
    const folder = temporaryFolder(t)
    const program = join(folder, 'bin', 'voicestream')
    mkdirSync(join(folder, 'bin'))
    writeFileSync(program, `#!/bin/sh\nexec ${process.execPath} ${resolve(mainPath())} "$@"\n`, {
      mode: 0o755,
    })
    const environment = {
      PATH: `${join(folder, 'bin')}:${process.env['PATH']}`,
      VOICESTREAM_DATA_DIR: service.dataDir,
    }
    const aged = (name: string, days: number) => {
      writeFileSync(join(folder, name), '')
      const then = Date.now() / 1000 - days * 86_400
      utimesSync(join(folder, name), then, then)
    }
    aged('voicestream-old.db', 15)
    aged('voicestream-recent.db', 12)
    aged('notes.txt', 100)
    // As systemd does it: quotes, but no patterns.
    for (const key of ['ExecStart', 'ExecStartPost'])
      execFileSync('sh', ['-efc', commandOf(key, folder)], { env: environment, stdio: 'pipe' })
    const left = readdirSync(folder).filter((name) => name !== 'bin')
    const [fresh = ''] = left.filter((name) => /^voicestream-\d{4}-\d\d-\d\dT\d{6}\.db$/.test(name))
    assert.deepEqual(left.toSorted(), ['notes.txt', 'voicestream-recent.db', fresh].toSorted())
    execFileSync('voicestream', ['verify', join(folder, fresh)], { env: environment, stdio: 'pipe' })
  })

  test('deletes nothing unless a backup succeeded, and is of the service’s user and folder', () => {
    assert.match(backupUnit, /^Type=oneshot$/m)
    for (const key of ['User', 'Group', 'UMask', 'StateDirectoryMode'])
      assert.deepEqual(new RegExp(`^${key}=(.*)$`, 'm').exec(backupUnit)?.[1], unitValues(key)[0], key)
    assert.match(readFileSync('ops/systemd/voicestream-backup.timer', 'utf8'), /^OnCalendar=/m)
  })
})

describe('the systemd unit', () => {
  test('leaves the service the time to stop, and does not repeat a start that cannot succeed', () => {
    assert(Number(unitValues('TimeoutStopSec')[0]) * 1000 > limits.stopMsMax)
    assert.deepEqual(unitValues('Restart'), ['on-failure'])
    assert.deepEqual(unitValues('RestartPreventExitStatus'), ['78'])
    assert.match(unitValues('After').join(), /time-sync\.target/, 'ages of calls go by the clock')
    assert.deepEqual(unitValues('KillSignal'), ['SIGTERM'])
    assert.deepEqual(unitValues('MemoryDenyWriteExecute'), ['no'], 'V8 could not compile')
    assert(Number(unitValues('LimitNOFILE')[0]) >= limits.supervisorsMax + limits.requestsInFlightMax)
    const variables = unitValues('Environment')
      .filter((line) => line.startsWith(environmentPrefix))
      .map((line) => line.split('=', 2) as [string, string])
    const config = readConfig({ args: [], environment: Object.fromEntries(variables), dotEnv: null })
    assert.equal(config.DATA_DIR, `/var/lib/${unitValues('StateDirectory')[0]}`)
  })

  test('is one that systemd takes, and gives away little', {
    skip: !existsSync('/usr/bin/systemd-analyze'),
  }, () => {
    const analyse = (...args: string[]) =>
      execFileSync('systemd-analyze', [...args, 'ops/systemd/voicestream.service'], {
        encoding: 'utf8',
        stdio: 'pipe',
      })
    const [, exposure] =
      /exposure level.*: (\d+\.\d)/.exec(analyse('security', '--offline=true', '--no-pager')) ?? []
    assert(Number(exposure) < 2, `exposure ${exposure}`)
  })
})
