/** What may stand in the log, and what never does. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ProviderRejected, ProviderUnavailable } from '../src/analysis/provider.js'
import { VoiceStreamError } from '../src/errors.js'
import { limits } from '../src/limits.js'
import { createLog, type LogFields, serializeError } from '../src/log.js'

const canary = 'canary-1f0c9e'

function lines(write: (log: ReturnType<typeof createLog>) => void): Record<string, unknown>[] {
  const written: string[] = []
  write(createLog('debug', { write: (line: string) => written.push(line) }))
  return written.map((line) => JSON.parse(line))
}

describe('a line of the log', () => {
  test('has the listed fields, and of others only their names', () => {
    const fields = { call_id: 'c1', data: canary, body: { data: canary }, headers: [canary] }
    const [line] = lines((log) => log.warn(fields as LogFields, 'something'))
    assert.equal(line?.['call_id'], 'c1')
    assert.deepEqual(line?.['unlisted'], ['data', 'body', 'headers'])
    assert(!JSON.stringify(line).includes(canary))
  })

  test('is one line, whatever stands in its fields', () => {
    const written: string[] = []
    const log = createLog('info', { write: (line: string) => written.push(line) })
    log.info({ reason: 'first\nsecond\r\n{"level":60}\u001b[2J\u2028' }, 'something')
    assert.equal(written.length, 1)
    const text = written[0]?.trimEnd() ?? ''
    for (const control of ['\n', '\r', '\u001b']) assert(!text.includes(control))
  })
})

describe('lines of one kind', () => {
  test('have a bound a second, whatever their kind, and a later line counts the others', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] })
    const written: Record<string, unknown>[] = []
    const log = createLog('debug', { write: (line: string) => written.push(JSON.parse(line)) })
    const each = 3 * limits.logLinesBurst
    for (let line = 0; line < each; line++) {
      log.debug('first')
      log.info({ total: line }, 'second')
      log.warn({ total: line }, 'third')
      log.error({ err: new Error('no') }, 'fourth')
    }
    const kinds = ['first', 'second', 'third', 'fourth']
    const linesOf = (kind: string) => written.filter(({ msg }) => msg === kind).length
    for (const kind of kinds) {
      assert(linesOf(kind) >= limits.logLinesBurst, kind)
      assert(linesOf(kind) < each / 2, `${kind} ${linesOf(kind)}`)
    }
    t.mock.timers.tick(limits.logCountMs)
    const counts = written.filter(({ unlogged }) => unlogged !== undefined)
    assert.deepEqual(
      counts.map(({ kind, level, unlogged }) => [kind, level, unlogged]),
      kinds.map((kind, index) => [kind, [20, 30, 40, 50][index], each - linesOf(kind)]),
    )
  })

  test('do not take the room of another kind, and a fatal one is never left out', () => {
    const written = lines((log) => {
      for (let line = 0; line < 2 * limits.logLinesBurst; line++) log.warn('often')
      log.warn('once')
      log.fatal('often')
    })
    assert.equal(written.filter(({ msg }) => msg === 'once').length, 1)
    assert.equal(written.filter(({ level }) => level === 60).length, 1)
  })
})

describe('an error in the log', () => {
  test('of our own has its type, code, message, frames and cause', () => {
    const error = new VoiceStreamError('commit_failed', 'the disk is full', { cause: new Error('no space') })
    const logged = serializeError(error)
    assert.equal(logged.type, 'VoiceStreamError')
    assert.equal(logged.code, 'commit_failed')
    assert.equal(logged.message, 'the disk is full')
    assert(logged.stack?.some((frame) => frame.includes('log.test')))
    assert.equal(logged.cause?.message, 'no space')
  })

  test('never quotes what was sent to us or what a provider said', () => {
    const parse = (): unknown => {
      try {
        return JSON.parse(`{"data": ${canary}`)
      } catch (error) {
        return error
      }
    }
    const syntax = parse()
    assert(syntax instanceof SyntaxError && syntax.message.includes('canary'), 'V8 quotes the text')
    let compared: unknown
    try {
      assert.equal(canary, 'something else')
    } catch (error) {
      compared = error
    }
    const withBody = Object.assign(new Error('refused'), { body: canary, response: { text: canary } })
    for (const error of [
      syntax,
      compared,
      withBody,
      new ProviderUnavailable(canary),
      new ProviderRejected(canary),
      new VoiceStreamError('internal', 'unexpected', { cause: new ProviderRejected(canary) }),
      canary,
      { data: canary },
    ]) {
      const [line] = lines((log) => log.error({ err: error }, 'something'))
      assert(line !== undefined)
      assert(!JSON.stringify(line).includes('canary'), JSON.stringify(line))
      assert.equal(typeof (line['err'] as { type: unknown }).type, 'string')
    }
  })
})
