/** Guards against a run of the tests that passes although a file failed, ended early, or held no test. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { temporaryFolder } from '../support/service.js'

interface Runner {
  runTestFiles(
    files: readonly { readonly name: string; readonly path: string }[],
    options: {
      readonly isVerbose?: boolean
      readonly msMax?: number
      readonly write: (text: string) => void
    },
  ): Promise<number>
}
const { runTestFiles } = (await import(pathToFileURL('scripts/run-test-files.mjs').href)) as Runner

const begin = `import { test } from 'node:test'; import assert from 'node:assert/strict';`
const texts = {
  good: `${begin} test('one', () => {}); test('two', () => {}); test('three', { skip: true }, () => {})`,
  bad: `${begin} test('sums', () => assert.equal(1 + 1, 3)); test('holds', () => {})`,
  empty: 'export {}',
  idle: `${begin} test.skip`,
  leftOut: `${begin} import { describe } from 'node:test'; describe('a PBX', { skip: 'NO PBX HERE' }, () => test('one', () => {}))`,
  crashing: `console.log('before the end'); process.exit(7)`,
  // All of its tests have passed when it fails.
  late: `${begin} test('one', () => {}); process.on('exit', () => process.kill(process.pid, 'SIGKILL'))`,
  // One of its tests waits for what never comes.
  hanging: `${begin} test('one', () => {}); test('waits', () => new Promise(() => setInterval(() => {}, 1000)))`,
  // Its tests are those of the run within, and it prints their results.
  nesting: `${begin} test('one', () => { console.log('ℹ tests 0\\nℹ pass 0\\nℹ fail 9') })`,
} as const

async function run(
  t: TestContext,
  names: readonly (keyof typeof texts)[],
  isVerbose = false,
  msMax = 60_000,
) {
  const folder = temporaryFolder(t)
  const files = names.map((name) => {
    const path = join(folder, `${name}.mjs`)
    writeFileSync(path, texts[name])
    return { name, path }
  })
  let output = ''
  const code = await runTestFiles(files, {
    isVerbose,
    msMax,
    write: (text) => {
      output += text
    },
  })
  const count = (kind: string) => Number(new RegExp(`^ℹ ${kind} (\\d+)$`, 'm').exec(output)?.[1])
  return { code, output, tests: count('tests'), pass: count('pass'), fail: count('fail') }
}

describe('a run of test files', () => {
  test('tells a line a file, and the sums at the end', async (t) => {
    const { code, output, ...counts } = await run(t, ['good', 'nesting'])
    assert.equal(code, 0)
    assert.deepEqual(counts, { tests: 4, pass: 3, fail: 0 })
    assert.match(output, /^✔ \d\/2 good: 2 passed, 1 skipped \(\d+\.\d s\)$/m)
    assert.doesNotMatch(output, /three/)
    assert.match((await run(t, ['good'], true)).output, /three/)
  })

  // A machine without a PBX or a browser could not pass the tests at all.
  test('leaves a file out that says why, loudly, and does not fail for it', async (t) => {
    const { code, output, ...counts } = await run(t, ['leftOut', 'good'])
    assert.equal(code, 0)
    assert.deepEqual(counts, { tests: 3, pass: 2, fail: 0 })
    assert.match(output, /^!!! \d\/2 leftOut: left out: NO PBX HERE$/m)
  })

  test('fails when a test fails, and tells that one in full behind the others', async (t) => {
    const { code, output, ...counts } = await run(t, ['bad', 'good'])
    assert.equal(code, 1)
    assert.deepEqual(counts, { tests: 5, pass: 3, fail: 1 })
    assert.match(output, /^✖ \d\/2 bad: 1 failed/m)
    const [, told = ''] = output.split('✖ failing tests:')
    assert.match(told, /sums/)
    assert.match(told, /2 !== 3/)
    assert.doesNotMatch(told, /holds/)
  })

  test('ends a file that takes too long, and tells what it had come to', async (t) => {
    // Guards against a run that hangs, with nothing to tell by what.
    const { code, output, fail } = await run(t, ['hanging', 'good'], false, 3000)
    assert.equal(code, 1)
    assert.match(output, /^✖ \d\/2 hanging: did not end within 3 s/m)
    assert.match(output, /✔ one/)
    assert.equal(fail, 1)
  })

  for (const [name, fault] of [
    ['empty', /ended without a result/],
    ['idle', /no test ran|ended without a result/],
    ['crashing', /ended with 7\n+before the end/],
    ['late', /ended with SIGKILL/],
  ] as const)
    test(`fails, and counts a failure, when a file is ${name}`, async (t) => {
      const { code, output, fail } = await run(t, [name, 'good'])
      assert.equal(code, 1)
      assert.match(output, fault)
      assert.equal(fail, 1)
    })
})
