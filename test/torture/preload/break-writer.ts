/**
 * Preloaded into the service (`node --import`), where it runs in every thread: in the writer thread it waits for an
 * order in a file and then ends the thread in the way that the order names. The service needs no hook for it.
 */
import { existsSync, readFileSync } from 'node:fs'
import { isMainThread } from 'node:worker_threads'

const orderPath = process.env['VSTEST_BREAK_WRITER']
const isWriter = !isMainThread && process.argv.some((argument) => argument.includes('writer-thread'))

if (isWriter && orderPath !== undefined) {
  const timer = setInterval(() => {
    if (!existsSync(orderPath)) return
    clearInterval(timer)
    const order = readFileSync(orderPath, 'utf8')
    // In a worker this ends the thread only.
    if (order === 'exit') process.exit(1)
    if (order === 'throw') throw new Error('the writer thread was told to throw')
    if (order === 'spin') for (;;);
  }, 10)
  timer.unref()
}
