/**
 * The page and the API's documents under a path of a proxy that takes it away: `https://voice.example.com/voicestream/`.
 * Guards against addresses that begin at the root: those of files, reads, the socket, links and redirects.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, type TestContext, test } from 'node:test'
import type { Page } from 'playwright-core'
import { openPage, skippedWithoutChromium, suiteBrowser } from '../support/browser.js'
import { credentialSettings, tokens } from '../support/credentials.js'
import {
  freePort,
  type ProxyName,
  prefix,
  proxyHost,
  proxyNames,
  skippedWithout,
  startProxy,
} from '../support/proxies.js'
import { post, type ServiceOptions, startService } from '../support/service.js'
import { postTonePackets } from '../support/tone-calls.js'
import { sees } from './sees.js'

async function startBehind(t: TestContext, name: ProxyName, settings: ServiceOptions['settings']) {
  const port = await freePort()
  const origin = `https://${proxyHost}:${port}`
  const own = { TRUSTED_PROXIES: '127.0.0.1', ALLOWED_ORIGINS: origin }
  const service = await startService(t, { settings: { ...own, ...settings } })
  await startProxy(t, name, { servicePort: service.port, port, isUnderPath: true })
  return { origin, service }
}

async function downloaded(page: Page, link: string): Promise<string> {
  const begun = page.waitForEvent('download')
  await page.getByRole('link', { name: link }).click()
  return readFileSync(await (await begun).path(), 'latin1')
}

for (const name of proxyNames)
  describe(`behind ${name} under a path`, { skip: skippedWithout(name) || skippedWithoutChromium() }, () => {
    const browser = suiteBrowser([
      `--host-resolver-rules=MAP ${proxyHost} 127.0.0.1`,
      '--ignore-certificate-errors',
    ])

    /** A page of the service, and the path of everything that it has asked for. */
    async function open(t: TestContext, path: string, settings: ServiceOptions['settings'] = {}) {
      const { origin, service } = await startBehind(t, name, settings)
      const { page, complaints } = await openPage(browser(), 'about:blank', { ignoreHTTPSErrors: true })
      t.after(() => page.context().close())
      const asked: string[] = []
      page.on('request', (request) => asked.push(request.url()))
      page.on('websocket', (socket) => asked.push(socket.url()))
      await page.goto(`${origin}${prefix}${path}`)
      const paths = () => {
        const own = asked.filter((url) => /^(https|wss):/.test(url)).map((url) => new URL(url).pathname)
        for (const path of own) assert(path.startsWith(prefix), `${path} was asked for`)
        return own.map((path) => path.slice(prefix.length))
      }
      return { page, complaints, paths, service, origin }
    }

    test('a call is followed to its end, and what was said and heard is saved', async (t) => {
      const { page, complaints, paths, service, origin } = await open(t, '')
      await sees(page, '.freshness', 'Live')
      assert.equal(page.url(), `${origin}${prefix}dashboard`)
      const documents = page.getByRole('link', { name: 'the API' })
      assert.equal(await documents.evaluate((link) => String(link)), `${origin}${prefix}docs`)
      await page.keyboard.press('c')
      await post(service, '/v1/call/start/far', { media: { encoding: 'mulaw' } })
      await postTonePackets(service, 'far', 0, 1)
      await page.locator('.row', { hasText: 'far' }).click()
      await sees(page, '.panel h2', 'far')
      await post(service, '/v1/call/complete/far', { total_packets: 50 })
      await sees(page, '.panel .state', 'Archived')
      await sees(page, '.transcript', /\w/)
      assert.match(await downloaded(page, 'Download the transcript as VTT'), /^WEBVTT/)
      assert.match(await downloaded(page, 'Download the audio as WAV'), /^RIFF/)
      for (const path of ['ws/supervisor', 'v1/floor', 'v1/call/far', 'v1/call/far/transcript'])
        assert(paths().includes(path), path)
      assert.deepEqual(complaints, [])
    })

    test('a page with a slash at its end is the same one, and a viewer signs in', async (t) => {
      const { page, paths, origin } = await open(t, 'dashboard/#/calls', credentialSettings)
      await page.getByLabel('Supervisor token').fill(tokens.supervisor[0])
      await page.getByRole('button', { name: 'Sign in' }).click()
      await sees(page, '.freshness', 'Live')
      assert.equal(page.url(), `${origin}${prefix}dashboard#/calls`)
      assert(paths().includes('v1/supervisor/ticket'))
    })

    test('the API’s documents load, and what is tried out there reaches the service', async (t) => {
      const { page, complaints, paths } = await open(t, 'docs')
      const operation = page.locator('.opblock', { hasText: '/health/live' }).first()
      await operation.locator('.opblock-summary').click({ timeout: 20_000 })
      await operation.getByRole('button', { name: 'Try it out' }).click()
      await operation.getByRole('button', { name: 'Execute' }).click()
      await sees(page, '.live-responses-table .response-col_status', '200')
      assert(paths().includes('health/live'))
      assert.deepEqual(complaints, [])
    })
  })
