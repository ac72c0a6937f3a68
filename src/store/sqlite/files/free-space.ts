/**
 * Whether a folder takes writes, found by one: only for ENOSPC does SQLite say `SQLITE_FULL`. A quota that is used up
 * (EDQUOT) is `SQLITE_IOERR_WRITE` for it, like a disk that fails, and no call tells how much of a quota is left. So is a file
 * that may not grow any more (EFBIG, `ulimit -f`, systemd's LimitFSIZE): that limit is compared with the sizes of the files.
 */
import { open, readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { codeOf } from '../../../errors.js'
import { limits } from '../../../limits.js'
import { filesOf } from './file-watch.js'

/** What a write there is refused with for lack of space; null where it is taken, or fails for another reason. */
export async function spaceRefusal(folder: string): Promise<string | null> {
  const path = join(folder, 'trial-of-space')
  try {
    const file = await open(path, 'w', 0o600)
    try {
      const bytes = Buffer.alloc(limits.fullDiskBytesMin)
      for (let at = 0; at < bytes.length; )
        at += (await file.write(bytes, at, bytes.length - at, at)).bytesWritten
      // A file system over the network may refuse only here.
      await file.datasync()
    } finally {
      await file.close()
    }
    return (await isAtFileLimit(folder)) ? 'EFBIG' : null
  } catch (error) {
    return isNoSpace(codeOf(error)) ? codeOf(error) : null
  } finally {
    // Where that fails it is written over the next time.
    await rm(path, { force: true }).catch(() => {})
  }
}

async function isAtFileLimit(folder: string): Promise<boolean> {
  const bytesMax = await fileBytesMax()
  if (bytesMax === Number.POSITIVE_INFINITY) return false
  const files = await Promise.allSettled(filesOf(folder).map((path) => stat(path)))
  const sizes = files.map((file) => (file.status === 'fulfilled' ? file.value.size : 0))
  return sizes.some((size) => size + limits.fullDiskBytesMin > bytesMax)
}

/** Of this process. Linux alone says it in a file. */
async function fileBytesMax(): Promise<number> {
  const text = await readFile('/proc/self/limits', 'utf8').catch(() => '')
  const bytes = /^Max file size +(\d+)/m.exec(text)?.[1]
  return bytes === undefined ? Number.POSITIVE_INFINITY : Number(bytes)
}

/** SQLite's error, named for what it is. */
export async function withFullDiskNamed(error: unknown, folder: string): Promise<unknown> {
  if (!(error instanceof Error && [error, error.cause].some(mayBeFull))) return error
  const refusal = await spaceRefusal(folder)
  if (refusal === null) return error
  const message = `${error.message}: the disk is full, or a quota or limit is reached (${refusal})`
  return Object.assign(new Error(message, { cause: error }), { code: 'SQLITE_FULL' })
}

const mayBeFull = (error: unknown) => /^SQLITE_IOERR(_WRITE|_SHMSIZE)?$/.test(codeOf(error))

const isNoSpace = (code: string) => code === 'ENOSPC' || code === 'EDQUOT'
