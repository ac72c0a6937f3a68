import type { Page } from 'playwright-core'

/** Waits until the text is in sight, as long as `openPage` has found this machine to need. */
export async function sees(page: Page, selector: string, text: string | RegExp): Promise<void> {
  await page.locator(selector, { hasText: text }).first().waitFor()
}
