/** What the service says of being ready, once it has had time to notice. */
import { patience } from '../support/patience.js'
import type { Service } from '../support/service.js'
import { epochMs, sleep } from './stage.js'

const noticeMsMax = 5000

/** Waits until it says exactly these reasons for not being ready. */
export async function reasonsOf({ port }: Service, wanted: readonly string[]): Promise<readonly string[]> {
  const until = epochMs() + patience(noticeMsMax)
  for (;;) {
    const answer = await fetch(`http://127.0.0.1:${port}/health/ready`)
    const { reasons } = (await answer.json()) as { reasons: readonly string[] }
    const isRight = answer.status === (wanted.length === 0 ? 200 : 503)
    if (isRight && reasons.join() === wanted.join()) return []
    if (epochMs() > until)
      return [`/health/ready says ${answer.status} [${reasons.join()}] instead of [${wanted.join()}]`]
    await sleep(50)
  }
}
