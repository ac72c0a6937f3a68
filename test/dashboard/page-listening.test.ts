/** A live call is listened to in a real browser. Guards against a page that says that it plays and is silent. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { openPage, screenshot, skippedWithoutChromium, suiteBrowser } from '../support/browser.js'
import { bearer, credentialSettings, tokens } from '../support/credentials.js'
import { HttpClient } from '../support/http-client.js'
import { readMetric } from '../support/metrics.js'
import { eventually, startService } from '../support/service.js'
import { beginTalk } from '../support/talking.js'
import { sees } from './sees.js'

describe('a live call', { skip: skippedWithoutChromium() }, () => {
  const browser = suiteBrowser()

  test('is heard from its panel, both voices, until somebody has enough of it', async (t) => {
    const service = await startService(t, { settings: { GRACE_PERIOD_MS: 100 } })
    const client = new HttpClient(t, service)
    const talking = await beginTalk(client, 'spoken', [0, 1])
    const { page, complaints } = await openPage(browser(), `${service.url}/dashboard#/call/spoken`)
    const level = () =>
      page.locator('.level').evaluate((meter) => (meter as unknown as { value: number }).value)
    await page.getByRole('button', { name: 'Listen', exact: true }).click()
    await page.locator('.level').waitFor()
    assert.equal(await readMetric(service, 'voicestream_listeners'), 1)
    // The samples of the two are opposite, so together they would be silence.
    for (const side of ['-1', '1']) {
      await page.getByLabel(/^Balance of the voices/).fill(side)
      await eventually(level, (value) => value > 0.3)
    }
    await screenshot(page, 'listening')

    await page.getByRole('button', { name: 'Stop listening' }).click()
    await eventually(
      () => readMetric(service, 'voicestream_listeners'),
      (count) => count === 0,
    )
    await talking.stop()
    await page.getByRole('button', { name: 'From 10 s ago' }).click()
    await page.locator('.level').waitFor()
    const totals = { 0: talking.count, 1: talking.count }
    assert.equal((await client.post('/v1/call/complete/spoken', { totals })).status, 202)
    await sees(page, '.panel', 'Completed')
    assert.equal(await page.locator('.level').count(), 0, 'what is over is heard no more')

    // Once it is over its recording and its words know of each other.
    const audio = page.locator('audio')
    const isPlaying = () => audio.evaluate((player) => !(player as unknown as { paused: boolean }).paused)
    await page.locator('.seek').first().click()
    await eventually(isPlaying, (is) => is)
    await page.locator('.segments .spoken').waitFor()
    await page.getByRole('heading', { name: 'Transcript' }).click()
    await page.keyboard.press('Space')
    await eventually(isPlaying, (is) => !is)
    await screenshot(page, 'recording')
    assert.deepEqual(complaints, [])
    await page.context().close()
  })

  test('is heard with a token, which no player element could send', async (t) => {
    const service = await startService(t, { settings: { ...credentialSettings, LISTEN_NOTICE: 'true' } })
    const client = new HttpClient(t, service)
    const ingest = bearer(tokens.ingest[0])
    const media = { encoding: 'mulaw', sample_rate: 8000, channels: 1 }
    await client.post('/v1/call/start/guarded', { media }, ingest)
    const data = Buffer.alloc(8000, 20).toString('base64')
    const packet = { sequence: 0, data, timestamp: 1 }
    assert.equal((await client.post('/v1/call/stream/guarded', packet, ingest)).status, 202)
    const { page } = await openPage(browser(), `${service.url}/dashboard#/call/guarded`)
    await page.getByLabel(/token/i).first().fill(tokens.supervisor[0])
    await page.keyboard.press('Enter')
    await page.getByRole('button', { name: 'From 10 s ago' }).click()
    await page.locator('.level').waitFor()
    await eventually(
      () => readListeners(client),
      (names) => names.includes('supervisor-1'),
    )
    await page.context().close()
  })

  // A refusal that is for administrators was taken for a token of another role, and ended the session.
  test('is not heard by a supervisor where words are masked, and the page says so and goes on', async (t) => {
    const service = await startService(t, { settings: { ...credentialSettings, REDACT: 'number' } })
    const client = new HttpClient(t, service)
    const ingest = bearer(tokens.ingest[0])
    await client.post('/v1/call/start/masked', { media: { encoding: 'mulaw' } }, ingest)
    const packet = { sequence: 0, data: Buffer.alloc(160, 20).toString('base64'), timestamp: 1 }
    assert.equal((await client.post('/v1/call/stream/masked', packet, ingest)).status, 202)
    const { page } = await openPage(browser(), `${service.url}/dashboard#/call/masked`)
    await page.getByLabel(/token/i).first().fill(tokens.supervisor[0])
    await page.keyboard.press('Enter')
    await page.getByRole('button', { name: 'Listen', exact: true }).click()
    await sees(page, '.live-sound [role=status]', /needs an admin token/)
    await sees(page, '.freshness', 'Live')
    assert.equal(await page.locator('.panel .tag-old').count(), 0, 'the call is up to date')
    await page.context().close()
  })
})

async function readListeners(client: HttpClient): Promise<readonly unknown[]> {
  const { body } = await client.send('GET', '/v1/call/guarded', bearer(tokens.supervisor[1]))
  return body['listeners'] as readonly unknown[]
}
