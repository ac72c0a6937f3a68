/** A call whose stored row is damaged, in a real browser. Guards against one that is left out of the page in silence. */
import { describe, test } from 'node:test'
import { openPage, skippedWithoutChromium, suiteBrowser } from '../support/browser.js'
import { endedCall } from '../support/ended-calls.js'
import { startService } from '../support/service.js'
import { change, close, openJournal } from '../support/sqlite.js'
import { sees } from './sees.js'

describe('a call that is damaged on the disk', { skip: skippedWithoutChromium() }, () => {
  const browser = suiteBrowser()

  test('is named under the list', async (t) => {
    const { journal, dataDir } = await openJournal(t)
    for (const name of ['whole', 'broken'])
      await endedCall(journal, name, { transcription: 'a', sentiment: 'neutral', confidence: 1 }, Date.now())
    await close(journal)
    change(dataDir, (db) => db.prepare("UPDATE calls SET is_settled = 0 WHERE call_id = 'broken'").run())
    const service = await startService(t, { dataDir })
    const { page } = await openPage(browser(), `${service.url}/dashboard#/calls`)
    await sees(page, '.view-foot', 'Damaged on the disk, not shown: broken')
    await page.context().close()
  })
})
