/** What a test cleans up after itself, the last thing first: `t.after` alone would remove a folder before its journal is closed. */
import type { TestContext } from 'node:test'

const cleanups = new WeakMap<TestContext, (() => unknown)[]>()

/** Runs `cleanup` when the test is over, before what was registered here earlier. The first failure is thrown at the end. */
export function atEnd(t: TestContext, cleanup: () => unknown): void {
  const known = cleanups.get(t)
  if (known !== undefined) {
    known.push(cleanup)
    return
  }
  const stack = [cleanup]
  cleanups.set(t, stack)
  t.after(async () => {
    const errors: unknown[] = []
    for (let next = stack.pop(); next !== undefined; next = stack.pop())
      try {
        await next()
      } catch (error) {
        errors.push(error)
      }
    if (errors.length > 0) throw errors[0]
  })
}
