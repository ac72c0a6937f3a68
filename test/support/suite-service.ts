/** One service for all tests of a `describe` block: started before the first of them, ended after the last. */
import { after, before, type TestContext } from 'node:test'
import { type Service, type ServiceOptions, startService } from './service.js'

export function suiteService(options: ServiceOptions = {}): () => Service {
  return suiteServiceFrom((block) => startService(block, options))
}

/** To be called in the block; the returned function gives the service once tests run. */
export function suiteServiceFrom(start: (block: TestContext) => Promise<Service>): () => Service {
  const cleanups: (() => unknown)[] = []
  let service: Service | null = null
  before(async () => {
    // All that the starter takes of a test is a way to clean up after it, which a block's hook does not have.
    const block = { after: (cleanup: () => unknown) => cleanups.push(cleanup) } as unknown as TestContext
    service = await start(block)
  })
  after(async () => {
    for (const cleanup of cleanups) await cleanup()
  })
  return () => {
    if (service === null) throw new Error('the service runs only while tests do')
    return service
  }
}
