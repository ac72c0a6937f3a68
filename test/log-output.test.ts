/**
 * Lines on their way out. Guards against a log that waits for its reader, that grows without one, or that loses lines
 * without saying how many.
 */
import assert from 'node:assert/strict'
import { openSync } from 'node:fs'
import { describe, test } from 'node:test'
import { limits } from '../src/limits.js'
import { createLog } from '../src/log.js'
import { LogOutput } from '../src/log-output.js'
import { NamedPipe } from './support/named-pipe.js'
import { eventually } from './support/service.js'

const bounds = { queueBytesMax: 4096, fatalBytesMax: 1024 }

type Line = Readonly<Record<string, unknown>>

function parse(text: string): Line[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))
}

/** Waits for lines until one has that message. */
async function readUntil(pipe: NamedPipe, message: string): Promise<Line[]> {
  let text = ''
  return eventually(
    async () => {
      text += pipe.read()
      return text.endsWith('\n') || text === '' ? parse(text) : []
    },
    (lines) => lines.some(({ msg }) => msg === message),
  )
}

describe('the output of the log', () => {
  test('writes lines in their order, each at once while somebody reads', async (t) => {
    const pipe = new NamedPipe(t)
    const output = new LogOutput(pipe.openWriter(t))
    const log = createLog('info', output)
    for (let line = 0; line < 50; line++) log.info({ total: line }, `line ${line}`)
    await output.drained(5000)
    const lines = parse(pipe.read())
    assert.deepEqual(
      lines.map(({ total }) => total),
      Array.from({ length: 50 }, (_, index) => index),
    )
  })

  test('drops lines beyond its bound while nobody reads, and the next one that fits says how many', async (t) => {
    const pipe = new NamedPipe(t)
    pipe.fill(t)
    const output = new LogOutput(pipe.openWriter(t), bounds)
    const log = createLog('info', output)
    output.onRecovered = () => log.warn('recovered')
    const total = 500
    for (let line = 0; line < total; line++) log.info(`line ${line}`)
    const lines = await readUntil(pipe, 'recovered')
    const written = lines.filter(({ msg }) => String(msg).startsWith('line '))
    assert(written.length > 10 && written.length < total, `${written.length} were written`)
    assert.deepEqual(
      written.map(({ msg }) => msg),
      written.map((_, index) => `line ${index}`),
    )
    assert.equal(lines.at(-1)?.['dropped'], total - written.length)
    log.info('afterwards')
    const [after] = await readUntil(pipe, 'afterwards')
    assert.equal(after?.['dropped'], undefined)
  })

  test('a line that fits beside the dropped ones carries their number', async (t) => {
    const pipe = new NamedPipe(t)
    pipe.fill(t)
    const output = new LogOutput(pipe.openWriter(t), bounds)
    const log = createLog('info', output)
    log.info({ reason: 'x'.repeat(bounds.queueBytesMax) }, 'longer than the bound')
    log.info({ reason: 'x'.repeat(bounds.queueBytesMax) }, 'and another one')
    log.info('short')
    const [line, ...more] = await readUntil(pipe, 'short')
    assert.deepEqual([line?.['msg'], line?.['dropped'], more], ['short', 2, []])
  })

  test('keeps room for the line that says why the process ends', async (t) => {
    const pipe = new NamedPipe(t)
    pipe.fill(t)
    const output = new LogOutput(pipe.openWriter(t), bounds)
    const log = createLog('info', output)
    for (let line = 0; line < 500; line++) log.info(`line ${line}`)
    log.fatal('the end')
    const lines = await readUntil(pipe, 'the end')
    assert(Number(lines.at(-1)?.['dropped']) > 0)
  })

  test('is waited for no longer than asked', async (t) => {
    const pipe = new NamedPipe(t)
    pipe.fill(t)
    const output = new LogOutput(pipe.openWriter(t), bounds)
    createLog('info', output).fatal('the end')
    await output.drained(20)
    assert(!(await output.isStuck()), 'an exit would hang')
    pipe.read()
    await output.drained(10 * limits.logFullRetryMs)
    assert.equal(parse(pipe.read())[0]?.['msg'], 'the end')
  })

  test('is stuck only with a write that does not return, not with one that has just begun', async (t) => {
    // Guards against an exit code that is lost: a full pipe is tried every 50 ms, and the end came at the same moment.
    const pipe = new NamedPipe(t)
    pipe.fill(t)
    const trying = new LogOutput(pipe.openWriter(t), bounds)
    createLog('info', trying).fatal('the end')
    assert(!(await trying.isStuck()))

    const waiting = new LogOutput(openSync(pipe.path, 'w'), bounds)
    createLog('info', waiting).fatal('the end')
    assert(await waiting.isStuck())
    pipe.read()
    await Promise.all([trying, waiting].map((output) => output.drained(5000)))
    assert(!(await waiting.isStuck()))
  })

  test('goes on with another reader when its own is gone', async (t) => {
    const pipe = new NamedPipe(t)
    const log = createLog('info', new LogOutput(pipe.openWriter(t), bounds))
    pipe.closeReader()
    log.info('nobody is here')
    await new Promise((resolve) => setTimeout(resolve, 50))
    pipe.openReader()
    await readUntil(pipe, 'nobody is here')
  })

  test('takes a full disk, and bounds what waits for it', async () => {
    const output = new LogOutput(openSync('/dev/full', 'w'), bounds)
    const log = createLog('info', output)
    for (let line = 0; line < 500; line++) log.info(`line ${line}`)
    await output.drained(100)
    assert(!(await output.isStuck()))
  })
})
