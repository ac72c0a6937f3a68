/**
 * `voicestream cluster` on three real servers. Guards against a log that is made on servers which would lose what they acknowledge, and
 * against a check that passes what nodes must not start on.
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { Engine } from '../../src/store/cluster/jetstream/engine.js'
import { isNewEnough } from '../../src/store/cluster/jetstream/log-report.js'
import { type Ended, runCommand } from '../support/command.js'
import { freePort } from '../support/free-port.js'
import { describeWithNats, NatsServers } from '../support/nats-servers.js'
import { temporaryFolder } from '../support/service.js'

const run = (action: string, servers: NatsServers, more: readonly string[] = []): Promise<Ended> =>
  runCommand([
    'cluster',
    action,
    `--servers=${servers.urls.join()}`,
    `--monitors=${servers.monitorUrls.join()}`,
    ...more,
  ])
const json = ({ out }: Ended) => JSON.parse(out.toString())

describe('voicestream cluster', () => {
  for (const [words, fact] of [
    [[], /init or status/],
    [['make'], /init or status/],
    [['init', 'VS'], /init or status/],
    [['status'], /give --servers/],
    [['status', '--servers', 'host:4222'], /--servers: "host:4222" is not like nats:/],
    [['status', '--servers', 'nats://u:secret@host:4222'], /not like nats:/],
    [
      ['status', '--servers', 'nats://h', '--monitors', 'ftp://h'],
      /--monitors: "ftp:\/\/h" is not like http:/,
    ],
    [['status', '--servers', 'nats://h', '--stream', 'a.b'], /--stream "a\.b"/],
    [['init', '--servers', 'nats://h', '--max-gib', '0'], /--max-gib must be an integer from 1/],
    [['status', '--servers', 'nats://h', '--max-gib', '1'], /--max-gib is for init/],
    [['init', '--servers', 'nats://h', '--json'], /--json is for status/],
  ] as const)
    test(`${words.join(' ')} ends with 64 and a line that says why`, async () => {
      const { code, err } = await runCommand(['cluster', ...words])
      assert.equal(code, 64)
      assert.match(err, fact)
      assert.equal(err.trim().split('\n').length, 1)
    })

  test('ends with 69 where no server answers', async () => {
    const { code, err } = await runCommand([
      'cluster',
      'status',
      `--servers=nats://127.0.0.1:${await freePort()}`,
    ])
    assert.equal(code, 69)
    assert.match(err, /no server of nats:.* takes a connection/)
  })

  test('knows which versions are new enough', () => {
    for (const version of ['2.15.0', '2.15.1', '2.16.0-preview.1', '3.0.0', '10.0.0'])
      assert(isNewEnough(version), version)
    for (const version of ['2.14.9', '2.9.10', '1.99.99', '', 'x', '2.15'])
      assert(!isNewEnough(version), version)
  })
})

describeWithNats('voicestream cluster, with three servers', () => {
  test('makes the log once, and finds it good, and what somebody changes of it a fault', async (t) => {
    const servers = await NatsServers.start(t)
    const missing = await run('status', servers, ['--json'])
    assert.equal(missing.code, 78)
    assert.match(json(missing).faults.join(), /no stream "VS"; make it with voicestream cluster init/)

    const made = await run('init', servers, ['--max-gib=1'])
    assert.deepEqual([made.code, made.err], [0, ''])
    const [, base] = /^log VS, base ([0-9a-f]{8}): made\n$/.exec(made.out.toString()) ?? []
    assert(base !== undefined, made.out.toString())

    const again = await run('init', servers)
    assert.equal(again.code, 73)
    assert.match(again.err, /there is a stream "VS" already; nothing was changed/)

    const good = await run('status', servers)
    assert.equal(good.code, 0, good.out.toString())
    assert.match(good.out.toString(), /^log VS, base .*: no messages, the next is 1, 0\.0 MiB of 1\.0 GiB\n/)
    assert.match(good.out.toString(), /│ n\d +│ leader +│ 2\.\d+\.\d+ +│ yes +│ +0 │/)
    assert.match(good.out.toString(), /\ngood: the servers and the log are as they must be\n$/)

    const engine = await Engine.connect({ servers: servers.urls, name: 'test' })
    t.after(() => engine.close())
    const { config } = await engine.api<{ config: object }>('STREAM.INFO.VS')
    await engine.api('STREAM.UPDATE.VS', { ...config, max_age: 3_600_000_000_000 })
    const changed = await run('status', servers, ['--json'])
    assert.equal(changed.code, 78)
    assert.deepEqual(json(changed).faults, ['stream VS: max_age is 3600000000000, not 0'])
    assert.equal(json(changed).base, base)
    await engine.api('STREAM.UPDATE.VS', config)

    // A node must be able to start while a server is down.
    const down = servers.all[2] as (typeof servers.all)[number]
    await down.kill()
    await servers.leader('VS')
    const warned = await run('status', servers, ['--json'])
    assert.equal(warned.code, 0, warned.out.toString())
    assert.match(json(warned).warnings.join('\n'), new RegExp(`${down.monitorUrl} does not answer`))
  })

  test('makes nothing on servers that answer before they have synced, or of which it is not known', async (t) => {
    const servers = await NatsServers.start(t, { jetstream: { sync_interval: '2m' } })
    const lazy = await run('init', servers, ['--trust-sync'])
    assert.equal(lazy.code, 78)
    for (const { name } of servers.all)
      assert.match(
        lazy.err,
        new RegExp(`server ${name} does not sync each message; set sync_interval: always`),
      )

    const unknown = await runCommand(['cluster', 'init', `--servers=${servers.urls.join()}`])
    assert.equal(unknown.code, 78)
    assert.match(unknown.err, /0 of 3 servers say that they sync each message; give the monitoring addresses/)
    const status = await runCommand([
      'cluster',
      'status',
      `--servers=${servers.urls.join()}`,
      '--trust-sync',
      '--json',
    ])
    assert.match(json(status).faults.join(), /there is no stream/)
    assert.match(json(status).warnings.join(), /may be lost in a power cut/)
  })

  test('shows its credentials to the servers over TLS, and takes no others', async (t) => {
    const folder = temporaryFolder(t)
    const { certificate, key } = makeCertificate(folder)
    const tls = `tls { cert_file: ${JSON.stringify(certificate)}, key_file: ${JSON.stringify(key)} }`
    const users = `authorization { users: [ { nkey: ${user.public} } ] }`
    const servers = await NatsServers.start(t, { lines: [tls, users], isTls: true })
    const credentials = join(folder, 'node.creds')
    writeFileSync(credentials, credentialsOf(user.seed), { mode: 0o600 })
    const flags = [`--authorities=${certificate}`, '--max-gib=1']
    const made = await run('init', servers, [...flags, `--credentials=${credentials}`])
    assert.deepEqual([made.code, made.err], [0, ''])

    const other = join(folder, 'other.creds')
    writeFileSync(other, credentialsOf(otherSeed), { mode: 0o600 })
    const refused = await run('init', servers, [...flags, `--credentials=${other}`])
    assert.equal(refused.code, 69)
    assert.match(refused.err, /authorization violation/i)
    const strange = await run('status', servers, [`--credentials=${credentials}`])
    assert.equal(strange.code, 69)
    assert.match(strange.err, /self.signed certificate/i)
  })
})

/** Of keys that were made for this test. */
const user = {
  public: 'UAJN3HH6PTYIQD7YUWLWGYVXM4UTFYWD6RVVN2UO7H3B6SK4CVHR2ZKF',
  seed: 'SUAIZPCLGFNVMWEMKIJNG4XWA3WSQWRBNQ7BXJCWL5TH22UQRLKYPTQ4W4',
}
const otherSeed = 'SUAFAUKXVXSW2SBEVJAEM4XI7W6PAGEEBLUWQ5HX6HWVY2KFWAVA23K3JQ'

const credentialsOf = (seed: string) => `-----BEGIN NATS USER JWT-----
none
------END NATS USER JWT------

-----BEGIN USER NKEY SEED-----
${seed}
------END USER NKEY SEED------
`

function makeCertificate(folder: string): { certificate: string; key: string } {
  const [certificate, key] = ['certificate.pem', 'key.pem'].map((name) => join(folder, name)) as [
    string,
    string,
  ]
  execFileSync(
    'openssl',
    ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
      .concat(['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'])
      .concat(['-keyout', key, '-out', certificate]),
    { stdio: 'ignore' },
  )
  return { certificate, key }
}
