/** A failed call in a real browser: who may have its analysis made again, and what the page says of it. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Page } from 'playwright-core'
import { openPage, screenshot, skippedWithoutChromium, suiteBrowser } from '../support/browser.js'
import { bearer, credentialSettings, tokens } from '../support/credentials.js'
import { HttpClient } from '../support/http-client.js'
import { answer, OpenAiServer, type Script, wellBehaved } from '../support/openai-server.js'
import { eventually, packet, startService } from '../support/service.js'
import { sees } from './sees.js'

const refusing: Script = () => answer({ error: { message: 'no', code: 'invalid_value' } }, 400)

async function signIn(page: Page, token: string): Promise<void> {
  await page.getByLabel('Supervisor token').fill(token)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await sees(page, '.panel .state', 'Failed')
}

describe('a failed call on the page', { skip: skippedWithoutChromium() }, () => {
  const browser = suiteBrowser()

  test('is analysed again for an administrator, and a supervisor is told who may ask for it', async (t) => {
    const server = await OpenAiServer.start(refusing)
    t.after(() => server.stop())
    const settings = { ...credentialSettings, ...server.settings }
    const service = await startService(t, { settings })
    const client = new HttpClient(t, service)
    await client.post('/v1/call/stream/broken', packet(0, 'hello'), bearer(tokens.ingest[0]))
    await client.post('/v1/call/complete/broken', { total_packets: 1 }, bearer(tokens.ingest[0]))
    await eventually(
      () => client.send('GET', '/v1/call/broken', bearer(tokens.supervisor[0])),
      ({ body }) => body['state'] === 'FAILED',
    )
    const address = `${service.url}/dashboard#/call/broken`

    const supervisor = await openPage(browser(), address)
    await signIn(supervisor.page, tokens.supervisor[0])
    await supervisor.page.getByRole('button', { name: 'Retry analysis' }).click()
    await sees(supervisor.page, '.retry [role=alert]', 'A retry needs an administrator’s token')
    await sees(supervisor.page, '.panel .state', 'Failed')
    await screenshot(supervisor.page, 'retry-refused')

    const { page, complaints } = await openPage(browser(), address)
    await signIn(page, tokens.admin[0])
    const retry = page.getByRole('button', { name: 'Retry analysis' })
    await page.route('**/v1/call/retry/broken', (route) => route.abort())
    await retry.click()
    await sees(page, '.retry [role=alert]', 'unreachable')
    await page.unroute('**/v1/call/retry/broken')
    // Analysed again, and refused again: the button must be there for one more.
    await retry.click()
    await sees(page, '.timeline', 'Analysis failed after 1 attempt, a retry by hand')
    server.script = wellBehaved
    await retry.click()
    await sees(page, '.panel .state', 'Archived')
    await sees(page, '.segments li', 'hello')
    assert.equal(await retry.count(), 0)
    await sees(page, '.timeline', '2 retries by hand')
    // Whoever was only told stays up to date, too.
    await sees(supervisor.page, '.panel .state', 'Archived')

    const ledger = page.locator('.ledger')
    await ledger.locator('summary', { hasText: '120 tokens' }).click()
    await sees(page, '.ledger tbody tr', /Meaning.*200/)
    await screenshot(page, 'ledger')
    assert.deepEqual(
      complaints.filter((complaint) => !/ERR_FAILED|401/.test(complaint)),
      [],
    )
    await supervisor.page.context().close()
    await page.context().close()
  })
})
