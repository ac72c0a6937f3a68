/** A call with two voices, in a real browser. Guards against a page that shows the losses of the first one alone. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { openPage, skippedWithoutChromium, suiteBrowser } from '../support/browser.js'
import { HttpClient } from '../support/http-client.js'
import { packet, startService } from '../support/service.js'
import { sees } from './sees.js'

describe('a call with two voices', { skip: skippedWithoutChromium() }, () => {
  const browser = suiteBrowser()

  test('has a picture of what is missing for each of them', async (t) => {
    const service = await startService(t)
    const client = new HttpClient(t, service)
    const tracks = [
      [0, 1, 2, 3],
      [0, 1, 5, 9],
    ]
    for (const [track, sequences] of tracks.entries())
      for (const sequence of sequences)
        assert.equal((await client.packet('two', { ...packet(sequence), track })).status, 202)
    const { page } = await openPage(browser(), `${service.url}/dashboard#/call/two`)
    await sees(page, '.panel', 'Packets of Track 1')
    const pictures = await page
      .locator('.gap-picture canvas')
      .evaluateAll((all) => all.map((canvas) => canvas.getAttribute('aria-label')))
    assert.deepEqual(pictures, [
      'Packets 0 to 3: 0 missing in 0 ranges, 0 late.',
      'Packets 0 to 9: 6 missing in 2 ranges, 0 late.',
    ])
    await page.context().close()
  })
})
