/** Reads that fail, in a real browser: what is known stays, and the rest comes by itself. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { openPage, skippedWithoutChromium, suiteBrowser } from '../support/browser.js'
import { HttpClient } from '../support/http-client.js'
import { eventually, packet } from '../support/service.js'
import { suiteService } from '../support/suite-service.js'
import { sees } from './sees.js'

describe('a call that cannot be read', { skip: skippedWithoutChromium() }, () => {
  const service = suiteService()
  const browser = suiteBrowser()

  test('keeps on the page what is known of it, says so, and is read again by itself', async (t) => {
    // Guards against a whole call that gives way to an error while its events still come, for ever.
    const client = new HttpClient(t, service())
    for (const sequence of [0, 2, 1]) await client.packet('shaky', packet(sequence))
    const { page } = await openPage(browser(), `${service().url}/dashboard`)
    await page.route('**/v1/call/shaky/packets**', (route) => route.abort())
    await page.goto(`${service().url}/dashboard#/call/shaky`)
    await sees(page, '.panel [role=status]', 'could not be read anew: The service is unreachable')
    await sees(page, '.call-figure', /Received\s*3/)
    await client.packet('shaky', packet(3))
    await sees(page, '.call-figure', /Received\s*4/)
    await page.unroute('**/v1/call/shaky/packets**')
    await page.locator('.panel .tag-old').waitFor({ state: 'detached' })
    assert.equal(await page.locator('.freshness-live').count(), 1)

    await page.route('**/v1/call/shaky', (route) => route.fulfill({ status: 503, json: { detail: 'busy' } }))
    await page.reload()
    await sees(page, '.panel h2', 'could not be read')
    await sees(page, '.panel p', 'The service answered: busy.')
    await page.unroute('**/v1/call/shaky')
    await sees(page, '.call-figure', /Received\s*4/)
    await page.context().close()
  })

  test('has its packets read anew after a reset that came while they were read', async (t) => {
    // Guards against a picture with a hole: the read that was under way counted as one after the reset.
    const client = new HttpClient(t, service())
    await client.packet('reset', packet(0))
    const { page } = await openPage(browser(), 'about:blank')
    await page.routeWebSocket(/ws.supervisor.*call=reset/, (socket) => {
      socket.connectToServer()
      reset = () => {
        const at = new Date().toISOString()
        socket.send(JSON.stringify({ event: 'reset', position: 'elsewhere', at, reason: 'evicted' }))
      }
    })
    let reset = (): void => assert.fail('no socket was opened')
    let reads = 0
    await page.route('**/v1/call/reset/packets**', async (route) => {
      if (reads++ === 0) {
        await page.locator('.panel .tag-old').waitFor({ state: 'detached' })
        reset()
        // Now the page has taken the message, and its read is still open.
        await page.locator('.panel .tag-old').waitFor()
      }
      await route.continue()
    })
    await page.goto(`${service().url}/dashboard#/call/reset`)
    await sees(page, '.call-figure', /Received\s*1/)
    await eventually(
      () => Promise.resolve(reads),
      (count) => count >= 2,
    )
    await page.context().close()
  })
})
