/** The supervisors' page in a real browser, on the real service. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import type { Page } from 'playwright-core'
import { openPage, screenshot, skippedWithoutChromium, suiteBrowser } from '../support/browser.js'
import { bearer, credentialSettings, tokens } from '../support/credentials.js'
import { startCutProxy } from '../support/cut-proxy.js'
import { HttpClient } from '../support/http-client.js'
import { eventually, packet, startService } from '../support/service.js'
import { suiteService } from '../support/suite-service.js'
import { sees } from './sees.js'

const skip = skippedWithoutChromium()

async function showsFigure(page: Page, name: string, value: string): Promise<void> {
  await page
    .locator('.call-figure', { hasText: name })
    .locator('.figure-value', { hasText: new RegExp(`^${value}$`) })
    .waitFor()
}

/** What the link of this name saves, as the file of that name. */
async function downloaded(page: Page, link: string, fileName: string): Promise<string> {
  const begun = page.waitForEvent('download')
  await page.getByRole('link', { name: link }).click()
  const file = await begun
  assert.equal(file.suggestedFilename(), fileName)
  return readFileSync(await file.path(), 'latin1')
}

describe('the page', { skip }, () => {
  const service = suiteService({ settings: { GRACE_PERIOD_MS: 1000 } })
  const browser = suiteBrowser()
  const address = (hash = '') => `${service().url}/dashboard${hash}`

  test('says what to do while there are no calls, and complains about nothing', async (t) => {
    const own = await startService(t)
    const { page, complaints } = await openPage(browser(), `${own.url}/dashboard`)
    await sees(page, 'h2', 'No calls yet')
    await sees(page, 'code', 'npm run simulate')
    await sees(page, '.freshness', 'Live')
    await screenshot(page, 'empty')
    assert.deepEqual(complaints, [])
    await page.context().close()
  })

  test('a call appears, its gaps fill, its state moves and its transcript arrives', async (t) => {
    const client = new HttpClient(t, service())
    const { page, complaints } = await openPage(browser(), address('#/calls'))
    await sees(page, '.freshness', 'Live')
    await client.packet('story', packet(0))
    await client.packet('story', packet(4))
    await sees(page, '.row', 'story')
    await page.locator('.row', { hasText: 'story' }).click()
    await sees(page, '.panel h2', 'story')
    await showsFigure(page, 'Missing', '3')
    await sees(page, '.missing-list', '1 missing range')
    await client.packet('story', packet(2))
    await showsFigure(page, 'Missing', '2')
    await showsFigure(page, 'Late', '1')
    await client.packet('story', packet(1))
    await client.packet('story', packet(3))
    await showsFigure(page, 'Missing', '0')
    await client.complete('story', 5)
    await sees(page, '.panel .state', 'Completed')
    await sees(page, '.panel .state', 'Archived')
    await sees(page, '.transcript', /\w/)
    await screenshot(page, 'call')
    assert.deepEqual(complaints, [])
    await page.context().close()
  })

  test('a line that is cut shows as offline, and nothing is missing once it is back', async (t) => {
    const proxy = await startCutProxy(t, service().port)
    const client = new HttpClient(t, service())
    await client.packet('cut', packet(0))
    const { page } = await openPage(browser(), `http://127.0.0.1:${proxy.port}/dashboard#/call/cut`)
    await showsFigure(page, 'Received', '1')
    await sees(page, '.freshness', 'Live')
    proxy.cut()
    for (const sequence of [1, 2, 5]) await client.packet('cut', packet(sequence))
    await sees(page, '.banner', 'unreachable')
    assert.equal(await page.locator('.frame.is-old').count(), 1, 'an old picture looks old')
    await showsFigure(page, 'Received', '1')
    proxy.mend()
    await sees(page, '.freshness', 'Live')
    await showsFigure(page, 'Received', '4')
    await showsFigure(page, 'Missing', '2')
    // Only the events between tell this: packet 4 closes a gap that opened while the line was cut.
    await client.packet('cut', packet(4))
    await showsFigure(page, 'Missing', '1')
    await page.context().close()
  })

  test('a silent call needs attention, can be acknowledged, and comes back when it is silent again', async (t) => {
    const client = new HttpClient(t, service())
    await client.packet('quiet-line', packet(0))
    const { page } = await openPage(browser(), address())
    const row = page.locator('.row', { hasText: 'quiet-line' })
    await row.waitFor()
    assert.match(await row.innerText(), /no packets arrive/)
    assert.match(await page.title(), /^\(\d+\) Attention · VoiceStream$/)
    await row.getByRole('button', { name: 'Acknowledge call quiet-line' }).click()
    await row.getByRole('button', { name: 'Undo for call quiet-line' }).waitFor()
    await page.mouse.move(5, 300)
    await row.waitFor({ state: 'detached' })
    await page.reload()
    await sees(page, '.chip', /Acknowledged\s*1/)
    await client.packet('quiet-line', packet(1))
    await sees(page, '.chip', /Acknowledged\s*0/)
    await row.waitFor()
    await client.complete('quiet-line', 2)
    await page.context().close()
  })

  test('what callers send stays text', async (t) => {
    const client = new HttpClient(t, service())
    const attack = '<img src=x onerror="window.attacked=1"><script>window.attacked=1</script>'
    await client.packet('hostile', { ...packet(0), data: attack })
    await client.complete('hostile', 1)
    await eventually(
      () => client.call('hostile'),
      ({ body }) => body['state'] === 'ARCHIVED',
    )
    const { page, complaints } = await openPage(browser(), address('#/call/hostile'))
    await page.route('**/v1/call/hostile', async (route) => {
      const answer = await route.fetch()
      const view = await answer.json()
      view.ai = { ...view.ai, transcription: attack, provider: attack, error: attack }
      await route.fulfill({ response: answer, json: view })
    })
    await page.route('**/v1/call/hostile/transcript', async (route) => {
      const answer = await route.fetch()
      const segment = { start: 0, end: 1, channel: 0, text: attack, confidence: null, coverage: 0.6 }
      const findings = { summary: attack, topics: [attack], action_items: [attack] }
      await route.fulfill({
        response: answer,
        json: { ...(await answer.json()), ...findings, segments: [segment] },
      })
    })
    await page.reload()
    await sees(page, '.transcript', '<img src=x')
    for (const part of ['.summary', '.topics', '.action-items']) await sees(page, part, '<img src=x')
    await sees(page, '.doubt', 'only 60 % of this was received')
    await page.goto(address(`#/call/${encodeURIComponent(attack)}`))
    await sees(page, '.panel h2', '<img src=x')
    assert.equal(await page.evaluate(`'attacked' in window`), false)
    assert.equal(await page.locator('img, #page script').count(), 0)
    assert.deepEqual(complaints, [])
    await page.context().close()
  })

  test('everything can be reached with the keys alone', async (t) => {
    const client = new HttpClient(t, service())
    for (const id of ['key-a', 'key-b', 'key-c']) await client.packet(id, packet(0))
    const { page } = await openPage(browser(), address())
    await sees(page, '.freshness', 'Live')
    await page.keyboard.press('/')
    await page.locator('#search:focus').waitFor()
    await page.keyboard.type('key-')
    await sees(page, '.view-foot', '3 of')
    await page.keyboard.press('Escape')
    await page.keyboard.press('j')
    await page.keyboard.press('j')
    const current = await page.locator('.row-current .call-id').innerText()
    await page.keyboard.press('Enter')
    await sees(page, '.panel h2', current)
    await page.keyboard.press('Escape')
    await page.locator('.panel').waitFor({ state: 'detached' })
    await page.keyboard.press('?')
    await sees(page, 'dialog h2', 'Keys and words')
    await page.keyboard.press('Escape')
    await page.locator('dialog').waitFor({ state: 'detached' })
    await page.keyboard.press('f')
    await sees(page, 'h1', 'The last hour')
    await page.context().close()
  })

  for (const [name, width, colorScheme] of [
    ['wide-dark', 1440, 'dark'],
    ['narrow', 360, 'light'],
  ] as const)
    test(`nothing runs out of the window: ${name}`, async () => {
      const { page, complaints } = await openPage(browser(), address(), {
        viewport: { width, height: 800 },
        colorScheme,
      })
      await sees(page, '.freshness', 'Live')
      for (const place of ['', '#/calls', '#/floor', '#/call/story']) {
        await page.goto(address(place))
        await page.locator('h1:visible, h2:visible').first().waitFor()
        const overflow = Number(await page.evaluate('document.documentElement.scrollWidth - innerWidth'))
        assert(overflow <= 0, `${place || '#/'} is ${overflow} pixels too wide`)
        await screenshot(page, `${name}${place.replaceAll(/[^a-z]+/g, '-')}`)
      }
      assert.deepEqual(complaints, [])
      await page.context().close()
    })
})

describe('the page of a service that analyses text', { skip }, () => {
  const service = suiteService({ settings: { AI_PROVIDER: 'local' } })
  const browser = suiteBrowser()
  const attack = '<img src=x onerror="window.attacked=1">'

  async function endedCall(client: HttpClient, callId: string, texts: readonly string[]): Promise<void> {
    for (const [sequence, text] of texts.entries()) await client.packet(callId, packet(sequence, text))
    await client.complete(callId, texts.length)
    await eventually(
      () => client.call(callId),
      ({ body }) => body['state'] === 'ARCHIVED',
    )
  }

  test('shows the details and the transcript of a call, and finds it by what was said', async (t) => {
    const client = new HttpClient(t, service())
    await client.post('/v1/call/start/said', {
      direction: 'inbound',
      caller: attack,
      agent: 'maria',
      metadata: { tenant: attack },
    })
    await endedCall(client, 'said', ['I am furious, this is terrible.', `${attack} I want a refund at once.`])
    await endedCall(client, 'other', ['Everything is fine.'])
    const { page, complaints } = await openPage(browser(), `${service().url}/dashboard#/call/said`)
    await sees(page, '.details div', /Agent\s*maria/)
    await sees(page, '.details div', 'Direction')
    await sees(page, '.details dd', attack)
    await sees(page, '.segments li', 'I am furious')
    await sees(page, '.segments li', attack)
    await sees(page, '.transcript-head .tag', 'local')
    assert.match(await downloaded(page, 'Download the transcript as SRT', 'said.srt'), /I am furious/)
    await screenshot(page, 'call-said')

    await page.goto(`${service().url}/dashboard#/calls`)
    await page.getByRole('button', { name: 'History' }).click()
    await sees(page, '.row', 'other')
    await page.getByLabel('Search calls').fill('refund onerror')
    await page.locator('.row mark').first().waitFor()
    assert.equal(await page.locator('.row').count(), 1)
    assert.deepEqual(await page.locator('.row mark').allInnerTexts(), ['onerror', 'refund'])
    await screenshot(page, 'search-said')
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('Enter')
    await sees(page, '.panel h2', 'said')
    await page.getByLabel('Search calls').fill('nobodysaidthis')
    await sees(page, 'h2', 'No transcript contains this')
    assert.equal(await page.evaluate(`'attacked' in window`), false)
    assert.equal(await page.locator('img, #page script').count(), 0)
    assert.deepEqual(complaints, [])

    // A refusal is always a line in the console of a browser, so it comes last.
    await page.getByLabel('Search calls').fill('ab*')
    await sees(page, '[role=alert]', 'the search has a prefix of less than 3 characters')
    await page.context().close()
  })

  test('finds more calls when asked for more, in a narrow window, too', async (t) => {
    const client = new HttpClient(t, service())
    for (let call = 0; call < 51; call++) {
      await client.packet(`many-${call}`, packet(0, 'plenty of words'))
      await client.complete(`many-${call}`, 1)
    }
    await eventually(
      () => client.get('/v1/calls?q=plenty&limit=200'),
      ({ body }) => Array.isArray(body['calls']) && body['calls'].length === 51,
    )
    const { page, complaints } = await openPage(browser(), `${service().url}/dashboard#/calls`, {
      viewport: { width: 360, height: 800 },
    })
    await page.getByRole('button', { name: 'History' }).click()
    await page.getByLabel('Search calls').fill('plenty')
    await sees(page, '.found-foot', '50 calls so far')
    assert(Number(await page.evaluate('document.documentElement.scrollWidth - innerWidth')) <= 0)
    await screenshot(page, 'narrow-search-said')
    await page.getByRole('button', { name: 'More', exact: true }).click()
    await sees(page, '.found-foot', /^51 calls$/)
    assert.equal(await page.getByRole('button', { name: 'More', exact: true }).count(), 0)
    assert.deepEqual(complaints, [])
    await page.context().close()
  })
})

describe('the page of a service with credentials', { skip }, () => {
  const service = suiteService({ settings: credentialSettings })
  const browser = suiteBrowser()

  test('asks for a token, says when it is wrong, and shows live calls with a right one', async (t) => {
    const client = new HttpClient(t, service())
    const { page } = await openPage(browser(), `${service().url}/dashboard`)
    // Guards against a field that typing does not reach.
    await page.locator('#token:focus').waitFor()
    await page.getByLabel('Supervisor token').fill('not-a-token-of-this-service')
    await page.getByRole('button', { name: 'Sign in' }).click()
    await sees(page, '[role=alert]', 'not valid')
    await screenshot(page, 'sign-in')
    // Guards against a page that asks for ever with a token of another role, and calls that "offline".
    await page.getByLabel('Supervisor token').fill(tokens.ingest[0])
    await page.getByRole('button', { name: 'Sign in' }).click()
    await sees(page, '[role=alert]', 'This is the token of a PBX. Enter a supervisor’s token.')
    await page.getByLabel('Supervisor token').fill(tokens.supervisor[0])
    await page.getByRole('button', { name: 'Sign in' }).click()
    await sees(page, '.freshness', 'Live')
    const pbx = bearer(tokens.ingest[0])
    const samples = Buffer.alloc(1600, 0xff).toString('base64')
    await client.post('/v1/call/start/guarded', { media: { encoding: 'mulaw' } }, pbx)
    await client.post('/v1/call/stream/guarded', packet(0, samples), pbx)
    await page.keyboard.press('c')
    await sees(page, '.row', 'guarded')
    await client.post('/v1/call/complete/guarded', { total_packets: 1 }, pbx)
    await page.locator('.row', { hasText: 'guarded' }).click()
    await sees(page, '.details div', 'G.711 µ-law, 8 kHz, mono')
    assert.match(await downloaded(page, 'Download the transcript as VTT', 'guarded.vtt'), /^WEBVTT/)
    await page.getByRole('button', { name: /^Load the audio/ }).click()
    await page.locator('audio').waitFor()
    assert.match(await downloaded(page, 'Download the audio as WAV', 'guarded.wav'), /^RIFF/)
    const kept = String(await page.evaluate('JSON.stringify([{ ...localStorage }, { ...sessionStorage }])'))
    assert(!kept.includes(tokens.supervisor[0]), 'the token is kept only where that was asked for')
    await page.context().close()
  })
})
