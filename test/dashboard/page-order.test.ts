/** Lists that sort themselves, in a real browser, under a pointer. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Page } from 'playwright-core'
import { openPage, screenshot, skippedWithoutChromium, suiteBrowser } from '../support/browser.js'
import { HttpClient } from '../support/http-client.js'
import { packet } from '../support/service.js'
import { suiteService } from '../support/suite-service.js'
import { becomes, sees } from './sees.js'

/** From top to bottom: where a row stands says its place, not its order in the document. */
const idsInOrder = `[...document.querySelectorAll('.row')]
  .sort((a, b) => a.getBoundingClientRect().top - b.getBoundingClientRect().top)
  .map((row) => row.querySelector('.call-id')?.textContent ?? 'gone')`

async function showsOrder(page: Page, ids: readonly string[]): Promise<void> {
  await becomes(page, `JSON.stringify(${idsInOrder})`, JSON.stringify(ids))
}

describe('a list under the pointer', { skip: skippedWithoutChromium() }, () => {
  const service = suiteService()
  const browser = suiteBrowser()

  test('keeps its order until the pointer leaves it, so that a click opens the call that was there', async (t) => {
    // Guards against the click on a row that another call has taken a moment before.
    const client = new HttpClient(t, service())
    for (const [id, packets] of [
      ['a', 3],
      ['b', 2],
      ['c', 1],
    ] as const)
      for (let sequence = 0; sequence < packets; sequence++) await client.packet(id, packet(sequence))
    const { page, complaints } = await openPage(browser(), `${service().url}/dashboard#/calls`)
    await page.getByRole('button', { name: 'Transport' }).click()
    await page.getByRole('button', { name: 'Packets' }).click()
    await page.mouse.move(5, 300)
    await showsOrder(page, ['a', 'b', 'c'])

    await page.locator('.row', { hasText: 'b' }).hover()
    await sees(page, '.held', 'Order held')
    for (let sequence = 1; sequence < 9; sequence++) await client.packet('c', packet(sequence))
    await client.packet('d', packet(0))
    for (let sequence = 1; sequence < 20; sequence++) await client.packet('d', packet(sequence))
    await client.complete('a', 3)
    // What is told of the rows goes on, in their old places; the call that is over is still in its own.
    await sees(page, '.row', /c.*9/s)
    await sees(page, '.row', /d.*20/s)
    await sees(page, '.row', /a.*Archived/s)
    await showsOrder(page, ['a', 'b', 'c', 'd'])
    await screenshot(page, 'order-held')

    await page.mouse.move(5, 300)
    await showsOrder(page, ['d', 'c', 'b'])
    assert.equal(await page.locator('.held').count(), 0)

    // With the keys in the list the same, and what the viewer asks for comes at once.
    await page.locator('.rows').focus()
    await page.keyboard.press('Tab')
    await sees(page, '.held', 'Order held')
    for (let sequence = 2; sequence < 40; sequence++) await client.packet('b', packet(sequence))
    await sees(page, '.row', /b.*40/s)
    await showsOrder(page, ['d', 'c', 'b'])
    await page.getByRole('button', { name: 'Packets' }).press('Enter')
    await showsOrder(page, ['c', 'd', 'b'])
    assert.deepEqual(complaints, [])
    await page.context().close()
  })

  test('of calls that need somebody keeps their places, too, also of those that are acknowledged', async (t) => {
    // Guards against a double click whose second half acknowledges another call, unseen.
    const client = new HttpClient(t, service())
    for (const id of ['need-1', 'need-2', 'need-3']) await client.packet(id, packet(0))
    const { page } = await openPage(browser(), `${service().url}/dashboard`)
    const ours = page.locator('.row', { hasText: 'need-' })
    await ours.nth(2).waitFor()
    await page.locator('.row', { hasText: 'need-3' }).hover()
    await sees(page, '.held', 'Order held')
    const placeOf = (id: string) => page.locator(`#row-${id}`).getAttribute('aria-rowindex')
    const before = await placeOf('need-3')
    await client.complete('need-1', 1)
    await sees(page, '#row-need-1', 'Resolved')
    assert.equal(await placeOf('need-3'), before)
    await page.getByRole('button', { name: 'Acknowledge call need-2' }).dblclick()
    await sees(page, '#row-need-2', 'Undo')
    await sees(page, '#row-need-1', 'Resolved')
    assert.equal(await placeOf('need-3'), before)
    await page.getByRole('button', { name: 'Acknowledge call need-3' }).waitFor()

    await page.mouse.move(5, 300)
    await page.locator('#row-need-2').waitFor({ state: 'detached' })
    assert.equal(await page.locator('#row-need-1').count(), 0)

    // Of the acknowledged ones, too: what is taken back is still there, and can be opened.
    await page.getByRole('button', { name: /^Acknowledged/ }).click()
    await page.locator('#row-need-2').hover()
    await page.getByRole('button', { name: 'Undo for call need-2' }).click()
    await page.getByRole('button', { name: 'Acknowledge call need-2' }).waitFor()
    await page.locator('#row-need-2 .call-id').click()
    await sees(page, '.panel', 'need-2')
    await page.context().close()
  })
})
