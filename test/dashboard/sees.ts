import type { Page } from 'playwright-core'
import { eventually } from '../support/service.js'

/** Waits until the text is in sight, as long as `openPage` has found this machine to need. */
export async function sees(page: Page, selector: string, text: string | RegExp): Promise<void> {
  await page.locator(selector, { hasText: text }).first().waitFor()
}

/**
 * Waits until the expression has that value in the page. `page.waitForFunction` cannot: it evaluates the text in the page
 * again at each look, and the page's policy forbids that.
 */
export async function becomes(page: Page, expression: string, wanted: unknown): Promise<void> {
  await eventually(
    () => page.evaluate(expression),
    (value) => value === wanted,
    60_000,
  )
}
