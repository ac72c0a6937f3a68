import type { Page } from 'playwright-core'

/** Waits until the text is in sight; a browser on a busy machine takes its time. */
export async function sees(page: Page, selector: string, text: string | RegExp): Promise<void> {
  await page.locator(selector, { hasText: text }).first().waitFor({ timeout: 20_000 })
}
