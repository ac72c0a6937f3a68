/**
 * A supervisor's page while REDACT is set. Guards against a page that signs supervisors out, because packets, which it reads for their
 * times, are for administrators then.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { openPage, screenshot, skippedWithoutChromium, suiteBrowser } from '../support/browser.js'
import { bearer, credentialSettings, tokens } from '../support/credentials.js'
import { HttpClient } from '../support/http-client.js'
import { eventually, packet, startService } from '../support/service.js'
import { sees } from './sees.js'

describe('the page with masks', { skip: skippedWithoutChromium() }, () => {
  const browser = suiteBrowser()

  test('shows a call to a supervisor, who may not have its packets', async (t) => {
    const settings = { ...credentialSettings, AI_PROVIDER: 'local', REDACT: 'number' } as const
    const service = await startService(t, { settings })
    const client = new HttpClient(t, service)
    await client.post('/v1/call/stream/said', packet(0, 'I am on 555 1234 all day'), bearer(tokens.ingest[0]))
    await client.post('/v1/call/complete/said', { total_packets: 1 }, bearer(tokens.ingest[0]))
    await eventually(
      () => client.send('GET', '/v1/call/said', bearer(tokens.supervisor[0])),
      ({ body }) => body['state'] === 'ARCHIVED',
    )
    const { page } = await openPage(browser(), `${service.url}/dashboard#/call/said`)
    const refused = page.waitForResponse(
      (answer) => answer.url().includes('/packets') && answer.status() === 403,
    )
    await page.getByLabel('Supervisor token').fill(tokens.supervisor[0])
    await page.getByRole('button', { name: 'Sign in' }).click()
    await refused
    await sees(page, '.panel .state', 'Archived')
    await sees(page, '.segments li', 'I am on [number] all day')
    assert.equal(await page.getByLabel('Supervisor token').count(), 0, 'nobody is signed out')
    await screenshot(page, 'redacted')
  })
})
