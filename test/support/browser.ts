/**
 * A real Chromium that looks at the page. Where there is none the tests are skipped and say so; with
 * `CHROMIUM_REQUIRED=1` (as `.ci/run` sets it) that is a failure.
 */
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { after, before } from 'node:test'
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core'

const programs = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']
export const chromiumPath: string | undefined = programs.find((path) => existsSync(path))
export const isChromiumRequired = process.env['CHROMIUM_REQUIRED'] === '1'

/** For `describe`: why the block is left out, or false. */
export function skippedWithoutChromium(): string | false {
  if (chromiumPath !== undefined || isChromiumRequired) return false
  const reason = 'NO CHROMIUM HERE: the page was not tested in a browser (Debian: apt-get install chromium)'
  console.error(`!!! ${reason}`)
  return reason
}

export function launchChromium(args: readonly string[] = []): Promise<Browser> {
  if (chromiumPath === undefined) throw new Error('Chromium is required here, and there is none')
  // Chromium has no sandbox for root, and a test machine often has no /dev/shm.
  return chromium.launch({
    executablePath: chromiumPath,
    args: ['--no-sandbox', '--disable-dev-shm-usage', ...args],
  })
}

/** One browser for all tests of a block. */
export function suiteBrowser(args: readonly string[] = []): () => Browser {
  let browser: Browser | null = null
  before(async () => {
    browser = await launchChromium(args)
  })
  after(() => browser?.close())
  return () => {
    if (browser === null) throw new Error('the browser runs only while tests do')
    return browser
  }
}

/** A page with everything that it complained about: a message of level error, a thrown error, a broken policy. */
export interface WatchedPage {
  readonly page: Page
  readonly complaints: readonly string[]
}

export async function openPage(
  browser: Browser,
  url: string,
  options: BrowserContextOptions = {},
): Promise<WatchedPage> {
  // What breathes is drawn 60 times a second, which takes a third of a core where there is no GPU.
  const still = { reducedMotion: 'reduce' } as const
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...still, ...options })
  const page = await context.newPage()
  const complaints: string[] = []
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text())
  })
  page.on('pageerror', (error) => complaints.push(String(error)))
  // As text, because these files are compiled for Node, which has no document.
  await page.addInitScript(`document.addEventListener('securitypolicyviolation', (event) =>
    console.error('policy violated: ' + event.violatedDirective + ' ' + event.blockedURI))`)
  const startedAt = performance.now()
  await page.goto(url, { timeout: 60_000 })
  // What is waited for is bounded by what this machine took for the first picture, as busy as it is.
  page.setDefaultTimeout(Math.max(20_000, 20 * (performance.now() - startedAt)))
  return { page, complaints }
}

const screenshots = 'build/screenshots'

export async function screenshot(page: Page, name: string): Promise<void> {
  mkdirSync(screenshots, { recursive: true })
  await page.screenshot({ path: join(screenshots, `${name}.png`) })
}
