import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { HttpClient } from '../../support/http-client.js'
import { suiteService } from '../../support/suite-service.js'

describe('/dashboard', () => {
  const service = suiteService()

  test('is where a browser goes from /, and others get the information', async (t) => {
    const client = new HttpClient(t, service())
    const browser = await client.send('GET', '/', { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' })
    assert.equal(browser.status, 302)
    assert.equal(browser.headers['location'], 'dashboard')
    const slash = await client.get('/dashboard/')
    assert.equal(slash.status, 302)
    assert.equal(slash.headers['location'], '../dashboard')
    for (const accept of ['*/*', 'application/json']) {
      const { status, body } = await client.send('GET', '/', { accept })
      assert.equal(status, 200)
      assert.equal(body['service'], 'VoiceStream')
    }
  })

  test('loads its own files only, each with its type, for ever where the name has a hash', async (t) => {
    const client = new HttpClient(t, service())
    const page = await client.get('/dashboard')
    assert.equal(page.status, 200)
    assert.equal(page.headers['cache-control'], 'no-cache')
    const loaded = [...page.text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, at]) => at ?? '')
    assert.equal(loaded.length, 3)
    const types: Record<string, RegExp> = { js: /^text\/javascript/, css: /^text\/css/, svg: /^image\/svg/ }
    for (const at of loaded) {
      assert.match(at, /^dashboard\/assets\//, 'relative, for a service under a path')
      const { status, headers } = await client.get(`/${at}`)
      assert.equal(status, 200, at)
      assert.match(headers['content-type'] ?? '', types[at.split('.').at(-1) ?? ''] ?? /^$/)
      assert.equal(headers['x-content-type-options'], 'nosniff')
      assert.match(headers['cache-control'] ?? '', /immutable/)
    }
  })

  test('has a policy that allows nothing from elsewhere and nothing inline', async (t) => {
    const { headers } = await new HttpClient(t, service()).get('/dashboard')
    const policy = String(headers['content-security-policy'])
    assert.match(policy, /^default-src 'none'; /)
    for (const directive of ["frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'"])
      assert(policy.includes(directive), directive)
    assert.doesNotMatch(policy, /unsafe|\*|https?:/)
  })

  test('answers in the best encoding that is accepted, and in none that is refused', async (t) => {
    const client = new HttpClient(t, service())
    const encodings: readonly (readonly [accepted: string, used: string | undefined])[] = [
      ['gzip, deflate, br', 'br'],
      ['gzip', 'gzip'],
      ['br;q=0, gzip;q=0.5', 'gzip'],
      ['identity', undefined],
      ['', undefined],
    ]
    for (const [accepted, used] of encodings) {
      const { headers } = await client.send('GET', '/dashboard', { 'accept-encoding': accepted })
      assert.equal(headers['content-encoding'], used, accepted)
      assert.equal(headers['vary'], 'Accept-Encoding')
    }
  })

  test('serves nothing but its files, however a path is written', async () => {
    const paths = [
      '/dashboard/../package.json',
      '/dashboard/assets/../../main.js',
      '/dashboard/%2e%2e%2fpackage.json',
      '/dashboard/assets/%2e%2e%2f%2e%2e%2fmain.js',
      '/dashboard/..\\package.json',
      '/dashboard/assets/%00',
      '/dashboard//etc/passwd',
      '/dashboard/assets/',
      '/dashboard/index.html',
      '/dashboard/index.html.br',
    ]
    for (const path of paths) assert.equal(await rawStatus(service().port, path), 404, path)
  })
})

/** As it is written, which no client library leaves alone. */
function rawStatus(port: number, path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () =>
      socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`),
    )
    socket.on('error', reject)
    socket.once('data', (answer) => {
      socket.destroy()
      resolve(Number(/^HTTP\/1\.1 (\d{3})/.exec(answer.toString('latin1'))?.[1]))
    })
  })
}

test('the page’s source never makes HTML out of text', () => {
  const files = readdirSync('src/dashboard', { recursive: true, encoding: 'utf8' }).filter((path) =>
    /\.tsx?$/.test(path),
  )
  assert(files.length > 20)
  for (const path of files)
    assert.doesNotMatch(
      readFileSync(join('src/dashboard', path), 'utf8'),
      /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function/i,
      path,
    )
})
