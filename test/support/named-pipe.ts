/** A named pipe whose reader reads when the test says so, or goes away. */
import { execFileSync } from 'node:child_process'
import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { temporaryFolder } from './service.js'

const { O_RDONLY, O_WRONLY, O_NONBLOCK } = constants

export class NamedPipe {
  readonly path: string
  #reader: number | null = null

  constructor(t: TestContext) {
    this.path = join(temporaryFolder(t), 'pipe')
    execFileSync('mkfifo', [this.path])
    this.openReader()
    t.after(() => this.closeReader())
  }

  /** As a program has it whose writes do not wait. */
  openWriter(t: TestContext): number {
    const writer = openSync(this.path, O_WRONLY | O_NONBLOCK)
    t.after(() => closeSync(writer))
    return writer
  }

  /** Returns how many bytes fitted. */
  fill(t: TestContext): number {
    const writer = this.openWriter(t)
    let bytes = 0
    for (const size of [4096, 1])
      try {
        for (;;) bytes += writeSync(writer, '\n'.repeat(size))
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error
      }
    return bytes
  }

  /** What is in it now. */
  read(): string {
    const chunk = Buffer.alloc(1024 * 1024)
    let text = ''
    try {
      for (;;) {
        const bytes = readSync(this.#reader as number, chunk)
        if (bytes === 0) return text
        text += chunk.toString('utf8', 0, bytes)
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return text
      throw error
    }
  }

  openReader(): void {
    this.#reader = openSync(this.path, O_RDONLY | O_NONBLOCK)
  }

  closeReader(): void {
    if (this.#reader !== null) closeSync(this.#reader)
    this.#reader = null
  }
}
