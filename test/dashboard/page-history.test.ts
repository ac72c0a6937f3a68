/** The search field, the history and the address of a view, in a real browser: at three widths and in both themes. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import type { Page } from 'playwright-core'
import { openPage, screenshot, skippedWithoutChromium, suiteBrowser } from '../support/browser.js'
import { HttpClient } from '../support/http-client.js'
import { eventually, packet } from '../support/service.js'
import { suiteService } from '../support/suite-service.js'
import { becomes, sees } from './sees.js'

const looks = [1440, 1024, 390].flatMap((width) =>
  (['light', 'dark'] as const).map((colorScheme) => ({ width, colorScheme })),
)
const shownIds = `JSON.stringify([...document.querySelectorAll('.row .call-id')].map((id) => id.textContent).sort())`
const shows = (page: Page, ids: readonly string[]) => becomes(page, shownIds, JSON.stringify(ids))

describe('the history of the page', { skip: skippedWithoutChromium() }, () => {
  const service = suiteService({ settings: { GRACE_PERIOD_MS: 0, AI_PROVIDER: 'local' } })
  const browser = suiteBrowser()
  let isFilled = false

  async function fill(client: HttpClient): Promise<void> {
    if (isFilled) return
    isFilled = true
    for (const [call, agent, queue, text] of [
      ['h-1', 'Maria Lopez', 'Billing', 'This is terrible, I want a refund.'],
      ['h-2', 'Jonas Weber', 'Billing', 'Thank you, that was wonderful.'],
      ['h-3', 'Maria Lopez', 'Sales', 'A refund would be great.'],
    ] as const) {
      await client.post(`/v1/call/start/${call}`, { agent, queue, caller: '+4930111' })
      await client.packet(call, packet(0, text))
      await client.complete(call, 1)
    }
    await eventually(
      () => client.get('/v1/calls?state=ARCHIVED'),
      ({ body }) => (body['calls'] as unknown[]).length === 3,
    )
  }

  for (const { width, colorScheme } of looks)
    test(`is searched by people, words and days, and its address shows the same: ${width} pixels, ${colorScheme}`, async (t) => {
      await fill(new HttpClient(t, service()))
      const address = `${service().url}/dashboard`
      const { page, complaints } = await openPage(browser(), `${address}#/calls`, {
        viewport: { width, height: 800 },
        colorScheme,
      })
      await page.getByRole('button', { name: 'History' }).click()
      await shows(page, ['h-1', 'h-2', 'h-3'])
      await page.getByLabel('Search calls').fill('agent:maria')
      await shows(page, ['h-1', 'h-3'])
      await page.getByLabel('Search calls').fill('agent:maria refund queue:bill')
      await shows(page, ['h-1'])
      await sees(page, '.row mark', 'refund')
      const overflow = Number(await page.evaluate('document.documentElement.scrollWidth - innerWidth'))
      assert(overflow <= 0, `${overflow} pixels too wide`)
      await screenshot(page, `history-${width}-${colorScheme}`)

      const copied = await page.evaluate('location.href')
      const colleague = await openPage(browser(), String(copied))
      await shows(colleague.page, ['h-1'])
      await colleague.page.context().close()

      await page.getByRole('button', { name: 'Remove the filter agent maria' }).click()
      await page.getByRole('button', { name: 'Remove the filter queue bill' }).click()
      await shows(page, ['h-1', 'h-3'])
      await page.getByLabel('From').fill('2020-01-01')
      await page.getByLabel('To', { exact: true }).fill('2020-01-02')
      await sees(page, 'h2', 'No transcript contains this')
      await page.getByLabel('To', { exact: true }).fill('')
      await page.getByRole('button', { name: 'Oldest first' }).click()
      await shows(page, ['h-1', 'h-3'])
      const begun = page.waitForEvent('download')
      await page.getByRole('link', { name: /^CSV/ }).click()
      const rows = readFileSync(await (await begun).path(), 'utf8')
        .trim()
        .split('\r\n')
      assert.deepEqual(
        rows.slice(1).map((row) => row.split(',').at(-1)),
        ['h-1', 'h-3'],
      )
      await page.getByLabel('Search calls').fill('state:nothing')
      await sees(page, '[role=alert]', 'state is one of')
      assert.deepEqual(complaints, [])
      await page.context().close()
    })

  test('is left for a call with the keys, and found again behind it', async (t) => {
    await fill(new HttpClient(t, service()))
    const { page } = await openPage(browser(), `${service().url}/dashboard#/calls?in=history&find=queue:bill`)
    await shows(page, ['h-1', 'h-2'])
    await page.keyboard.press('j')
    await page.keyboard.press('Enter')
    await sees(page, '.panel h2', 'h-2')
    await becomes(page, `location.hash.startsWith('#/call/h-2?at=calls')`, true)
    await page.reload()
    await sees(page, '.panel h2', 'h-2')
    await shows(page, ['h-1', 'h-2'])
    await page.context().close()
  })

  test('is not needed for the calls on the floor, in either list', async (t) => {
    const client = new HttpClient(t, service())
    for (const agent of ['Ada', 'Bo']) {
      await client.post(`/v1/call/start/live-${agent}`, { agent })
      await client.packet(`live-${agent}`, packet(0))
    }
    const { page } = await openPage(browser(), `${service().url}/dashboard#/calls?find=agent:ad`)
    await shows(page, ['live-Ada'])
    await page.goto(`${service().url}/dashboard#/?find=agent:bo`)
    await shows(page, ['live-Bo'])
    await page.context().close()
  })
})
