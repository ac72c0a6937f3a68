/** TLS that the service ends itself. The certificate is made for each run by openssl. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { connect } from 'node:tls'
import { WebSocket } from 'ws'
import { ConfigError } from '../../../src/config/config.js'
import { tlsFiles } from '../../../src/http/gate/tls.js'
import { bearer, credentialSettings, tokens } from '../../support/credentials.js'
import { packet, startService, temporaryFolder } from '../../support/service.js'

interface Certificate {
  readonly certFile: string
  readonly keyFile: string
}

function certificate(t: TestContext): Certificate {
  const folder = temporaryFolder(t)
  const certFile = join(folder, 'cert.pem')
  const keyFile = join(folder, 'key.pem')
  const args = `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout ${keyFile} -out ${certFile}`
  execFileSync('openssl', args.split(' '), { stdio: 'ignore' })
  return { certFile, keyFile }
}

interface Target {
  readonly port: number
  readonly ca: Buffer
}

async function send(
  { port, ca }: Target,
  method: string,
  path: string,
  headers: Readonly<Record<string, string>>,
  body = '',
): Promise<{ readonly status: number; readonly text: string }> {
  const asked = request({ host: '127.0.0.1', port, ca, method, path, headers, agent: false })
  asked.end(body)
  const [answer] = await once(asked, 'response')
  let text = ''
  for await (const part of answer) text += String(part)
  return { status: answer.statusCode, text }
}

describe('with a certificate', () => {
  test('packets, reads and the supervisor socket go over TLS 1.2 or newer, and plain HTTP gets nothing', async (t) => {
    const { certFile, keyFile } = certificate(t)
    const settings = {
      ...credentialSettings,
      TLS_CERT_FILE: certFile,
      TLS_KEY_FILE: keyFile,
      HOST: '0.0.0.0',
    }
    const service = await startService(t, { settings })
    assert.deepEqual(
      service.log.filter(({ level, msg }) => level === 40 && /plain/.test(String(msg))),
      [],
      'of its transport there is nothing to warn of',
    )
    const target = { port: service.port, ca: readFileSync(certFile) }
    const json = { 'content-type': 'application/json', ...bearer(tokens.ingest[0]) }
    const body = JSON.stringify(packet(0))
    const sent = await send(target, 'POST', '/v1/call/stream/private', json, body)
    assert.equal(sent.status, 202, sent.text)
    const read = await send(target, 'GET', '/v1/call/private', bearer(tokens.supervisor[0]))
    assert.equal(JSON.parse(read.text).total_received, 1)

    const issued = await send(target, 'POST', '/v1/supervisor/ticket', bearer(tokens.supervisor[0]))
    const { ticket } = JSON.parse(issued.text)
    const address = `wss://127.0.0.1:${service.port}/ws/supervisor?ticket=${ticket}`
    const socket = new WebSocket(address, { ca: target.ca, origin: `https://127.0.0.1:${service.port}` })
    t.after(() => socket.terminate())
    const message = once(socket, 'message')
    await once(socket, 'open')
    const second = JSON.stringify(packet(1))
    assert.equal((await send(target, 'POST', '/v1/call/stream/private', json, second)).status, 202)
    assert.equal(JSON.parse(String((await message)[0])).event, 'packet_received')

    for (const [version, isSpoken] of [
      ['TLSv1.1', false],
      ['TLSv1.2', true],
      ['TLSv1.3', true],
    ] as const) {
      const wire = connect({
        ...target,
        host: '127.0.0.1',
        minVersion: version,
        maxVersion: version,
        // Without it our own side would refuse the old version.
        ciphers: 'DEFAULT:@SECLEVEL=0',
      })
      const outcome = await Promise.race([
        once(wire, 'secureConnect').then(() => true),
        once(wire, 'error').then(() => false),
      ]).catch(() => false)
      wire.destroy()
      assert.equal(outcome, isSpoken, version)
    }
    await assert.rejects(fetch(`http://127.0.0.1:${service.port}/health/live`))
    assert.equal((await send(target, 'GET', '/health/live', {})).status, 200)
  })
})

describe('files that are not a matching certificate and key', () => {
  test('are refused with a line that names them and shows nothing of them', (t) => {
    const { certFile, keyFile } = certificate(t)
    const other = certificate(t)
    assert.equal(tlsFiles('', ''), null)
    assert.deepEqual(tlsFiles(certFile, keyFile), { certFile, keyFile })
    const empty = join(temporaryFolder(t), 'empty.pem')
    writeFileSync(empty, '')
    for (const [cert, key, pattern] of [
      [certFile, '', /belong together/],
      ['', keyFile, /belong together/],
      ['/no/such/cert.pem', keyFile, /TLS_CERT_FILE \/no\/such\/cert\.pem cannot be read \(ENOENT\)/],
      [certFile, '/no/such/key.pem', /TLS_KEY_FILE \/no\/such\/key\.pem cannot be read \(ENOENT\)/],
      [certFile, other.keyFile, /are not a matching PEM certificate and key/],
      [keyFile, keyFile, /are not a matching PEM certificate and key/],
      [certFile, certFile, /are not a matching PEM certificate and key/],
      [empty, empty, /are not a matching PEM certificate and key/],
    ] as const)
      assert.throws(
        () => tlsFiles(cert, key),
        (error) =>
          error instanceof ConfigError && pattern.test(error.message) && !error.message.includes('\n'),
        `${cert} ${key}`,
      )
  })
})
