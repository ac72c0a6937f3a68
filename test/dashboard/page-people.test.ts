/** People in the lists of the page, in a real browser: at three widths, in both themes, and through both lenses. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Page } from 'playwright-core'
import { openPage, screenshot, skippedWithoutChromium, suiteBrowser } from '../support/browser.js'
import { HttpClient } from '../support/http-client.js'
import { packet } from '../support/service.js'
import { suiteService } from '../support/suite-service.js'
import { sees } from './sees.js'

const parties = { caller: '+4930231250', callee: '+442079460101', agent: 'Maria Lopez', queue: 'Billing' }
const longest = { agent: 'A'.repeat(128), queue: 'Q'.repeat(128), caller: '1'.repeat(128) }

const looks = [1440, 1024, 390].flatMap((width) =>
  (['light', 'dark'] as const).map((colorScheme) => ({ width, colorScheme })),
)

async function fits(page: Page): Promise<void> {
  const overflow = Number(await page.evaluate('document.documentElement.scrollWidth - innerWidth'))
  assert(overflow <= 0, `${page.url()} is ${overflow} pixels too wide`)
}

describe('people on the page', { skip: skippedWithoutChromium() }, () => {
  const service = suiteService()
  const browser = suiteBrowser()

  for (const look of looks)
    test(`are named before the id of their call: ${look.width} pixels, ${look.colorScheme}`, async (t) => {
      const client = new HttpClient(t, service())
      await client.post('/v1/call/start/named-1', parties)
      await client.post('/v1/call/start/longest-1', longest)
      await client.packet('named-1', packet(0))
      await client.packet('nameless-1', packet(0))
      const viewport = { width: look.width, height: 800 }
      const options = { viewport, colorScheme: look.colorScheme }
      const { page, complaints } = await openPage(browser(), `${service().url}/dashboard#/calls`, options)
      const row = page.locator('#row-named-1')
      for (const text of ['Maria Lopez', 'Billing', '+4930231250']) await row.getByText(text).waitFor()
      await sees(page, '#row-nameless-1 .cell-name', 'nameless-1')
      assert.equal(await page.locator('#row-nameless-1 .call-id').count(), 1)
      const placeOf = async (selector: string) => {
        const box = await row.locator(selector).boundingBox()
        assert(box !== null, selector)
        return box
      }
      const [agent, id] = [await placeOf('.cell-agent'), await placeOf('.call-id')]
      assert(id.x > agent.x && id.y >= agent.y, 'the id is last')
      await fits(page)
      await screenshot(page, `people-${look.width}-${look.colorScheme}`)

      await page.getByRole('button', { name: 'Transport' }).click()
      await sees(page, '#row-named-1 .cell-last', /silent|ago/)
      await sees(page, '#row-named-1', 'Maria Lopez')
      await fits(page)
      await screenshot(page, `people-transport-${look.width}-${look.colorScheme}`)

      await page.goto(`${service().url}/dashboard#/`)
      await sees(page, '#row-named-1 .need-names', 'Maria Lopez · Billing · +4930231250')
      await sees(page, '#row-nameless-1', 'nameless-1')
      await page.getByRole('button', { name: /^Conversations/ }).click()
      await sees(page, 'h2', 'No calls of this kind')
      await page.getByRole('button', { name: /^Transport/ }).click()
      await sees(page, '#row-named-1', 'Silent')
      await fits(page)
      assert.deepEqual(complaints, [])
      await page.context().close()
    })
})
