/**
 * The supervisors' page in a real Chromium while calls come in: frames a second, memory of the tab, and how far its
 * picture lags. The browser, the service and the load share the cores, which the figures name.
 */
import { existsSync, readFileSync } from 'node:fs'
import { type CDPSession, chromium, type Page } from 'playwright-core'
import { BulkPacer } from '../load/bulk-pacer.js'
import type { Check, Context, Report, Scenario } from '../scenario.js'
import { startService } from '../stage/server.js'

const program = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync)
const callCount = 5000
const rates = [5000, 20_000]
const framesWanted = 30
const mebibytesMax = 300

interface Figures {
  readonly offered: number
  readonly accepted: number
  readonly framesPerSecond: number
  readonly longestFrameMs: number
  readonly heapMebibytes: number
  readonly tabMebibytes: number
  readonly rowsDrawn: number
}

const countFrames = (seconds: number) => `new Promise((resolve) => {
  const startedAt = performance.now()
  let frames = 0, longest = 0, before = startedAt
  const step = (now) => {
    frames++
    longest = Math.max(longest, now - before)
    before = now
    if (now - startedAt < ${seconds * 1000}) requestAnimationFrame(step)
    else resolve({ framesPerSecond: frames / (now - startedAt) * 1000, longestFrameMs: longest })
  }
  requestAnimationFrame(step)
})`

async function heapMebibytes(session: CDPSession): Promise<number> {
  const { metrics } = await session.send('Performance.getMetrics')
  return (metrics.find(({ name }) => name === 'JSHeapUsedSize')?.value ?? 0) / 2 ** 20
}

/** Resident memory of the process that draws the page. */
async function tabMebibytes(browserSession: CDPSession): Promise<number> {
  const { processInfo } = await browserSession.send('SystemInfo.getProcessInfo')
  const resident = processInfo
    .filter(({ type }) => type === 'renderer')
    .map(({ id }) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${id}/status`, 'utf8'))?.[1] ?? 0))
  return Math.max(0, ...resident) / 1024
}

async function measure(page: Page, rate: number, seconds: number, pacer: BulkPacer): Promise<Figures> {
  const session = await page.context().newCDPSession(page)
  const browser = page.context().browser()
  if (browser === null) throw new Error('the page has no browser')
  await session.send('Performance.enable')
  const load = pacer.run(rate, seconds + 2)
  const frames = (await page.evaluate(countFrames(seconds))) as {
    framesPerSecond: number
    longestFrameMs: number
  }
  const figures = {
    offered: rate,
    ...frames,
    heapMebibytes: await heapMebibytes(session),
    tabMebibytes: await tabMebibytes(await browser.newBrowserCDPSession()),
    rowsDrawn: await page.locator('.row').count(),
  }
  return { ...figures, accepted: await load }
}

function checksOf(all: readonly Figures[]): readonly Check[] {
  return all.flatMap(({ offered, framesPerSecond, tabMebibytes }) => [
    {
      name: `frames a second, ${callCount} calls, ${offered} packets/s`,
      wanted: `≥ ${framesWanted}`,
      found: framesPerSecond.toFixed(1),
      isMet: framesPerSecond >= framesWanted,
    },
    {
      name: `memory of the tab, ${callCount} calls, ${offered} packets/s`,
      wanted: `≤ ${mebibytesMax} MiB`,
      found: `${tabMebibytes.toFixed(0)} MiB`,
      isMet: tabMebibytes <= mebibytesMax,
    },
  ])
}

async function run({ stage, isQuick, tell }: Context): Promise<Report> {
  if (program === undefined) throw new Error('Chromium is not installed (Debian: apt-get install chromium)')
  const server = await startService(stage, stage.newFolder('page'))
  const browser = await chromium.launch({
    executablePath: program,
    args: ['--no-sandbox', '--disable-dev-shm-usage'],
  })
  try {
    const pacer = new BulkPacer(server.url, callCount)
    tell(`${callCount} calls begin`)
    await pacer.run(callCount, 1)
    const page = await browser.newPage({ viewport: { width: 1440, height: 900 } })
    await page.goto(`${server.url}/dashboard#/calls`)
    await page.locator('.row').first().waitFor({ timeout: 60_000 })
    const all: Figures[] = []
    for (const rate of rates) {
      tell(`${rate} packets/s`)
      all.push(await measure(page, rate, isQuick ? 8 : 30, pacer))
    }
    return {
      tables: [
        {
          title: `The list of ${callCount} live calls`,
          columns: [
            { name: 'offered', unit: 'packets/s' },
            { name: 'accepted', unit: 'packets/s', digits: 0 },
            { name: 'frames', unit: '/s', digits: 1 },
            { name: 'longest frame', unit: 'ms', digits: 0 },
            { name: 'heap', unit: 'MiB', digits: 1 },
            { name: 'tab resident', unit: 'MiB', digits: 0 },
            { name: 'rows drawn' },
          ],
          rows: all.map((one) => [
            one.offered,
            one.accepted,
            one.framesPerSecond,
            one.longestFrameMs,
            one.heapMebibytes,
            one.tabMebibytes,
            one.rowsDrawn,
          ]),
        },
      ],
      charts: [],
      checks: checksOf(all),
      notes: ['Chromium draws without a graphics card; it, the service and the load share the cores.'],
    }
  } finally {
    await browser.close()
    await server.stop()
  }
}

export const page: Scenario = {
  name: 'page',
  title: 'The supervisors’ page',
  summary: '5,000 live calls in a real Chromium: frames a second and memory of the tab',
  needsWrk: false,
  run,
}
