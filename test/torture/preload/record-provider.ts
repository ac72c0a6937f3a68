/**
 * Preloaded into the service (`node --import`): a provider's own account. Every request to the simulated provider is a
 * line in a file before it is taken, and every answer one before it is given, so that a kill cannot take them back.
 */
import { appendFileSync, realpathSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { isMainThread } from 'node:worker_threads'
import type { AnalysisProvider } from '../../../src/analysis/provider.js'
import type { ProviderLine } from '../provider-account.js'

const path = process.env['VSTEST_PROVIDER_ACCOUNT']
const main = process.argv[1]

if (isMainThread && path !== undefined && main !== undefined) {
  const module = new URL('./analysis/providers/simulated-provider.js', pathToFileURL(realpathSync(main)))
  const { SimulatedProvider } = (await import(module.href)) as {
    SimulatedProvider: { prototype: AnalysisProvider }
  }
  const write = (line: ProviderLine) => appendFileSync(path, `${JSON.stringify(line)}\n`)
  const analyse = SimulatedProvider.prototype.analyse
  SimulatedProvider.prototype.analyse = async function (request, signal) {
    const { callId: call, idempotencyKey: key, attempt } = request
    write({ is: 'request', call, key, attempt })
    try {
      const result = await analyse.call(this, request, signal)
      write({ is: 'answer', call, attempt, isResult: true })
      return result
    } catch (error) {
      write({ is: 'answer', call, attempt, isResult: false })
      throw error
    }
  }
}
