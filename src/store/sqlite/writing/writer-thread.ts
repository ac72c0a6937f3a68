/**
 * The writer thread: the only one that writes the database.
 *
 * Owns the instance lock and the writer. In comes a batch at a time (the main thread sends the next one when this one is
 * settled); out goes `committed` or `failed`. After an fsync error nothing is known about the file, so that failure is
 * fatal (V6); all others leave the database as it was before the batch.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { codeOf, messageOf } from '../../../errors.js'
import { withFullDiskNamed } from '../files/free-space.js'
import { takeInstanceLock } from '../files/instance-lock.js'
import { isFatal } from '../files/sqlite-error.js'
import type { FromWriter, ToWriter, WriterData } from '../thread-messages.js'
import { Writer } from './writer.js'

const port = parentPort
if (port === null) throw new Error('writer-thread is not a program')
const options = workerData as WriterData
const tell = (message: FromWriter) => port.postMessage(message)

/** No other batch comes before this is told. */
async function failed(id: number, thrown: unknown): Promise<void> {
  const error = await withFullDiskNamed(thrown, options.dataDir)
  const code = codeOf(error)
  const message = messageOf(error)
  tell({ type: 'failed', id, code, message, isFatal: isFatal(code) })
}

/** Commits are safe without it; but an fsync that failed leaves the database in a state that nobody knows. */
function checkpointFailed(code: string, message: string): void {
  tell({ type: 'checkpoint-failed', code, message, isFatal: isFatal(code) })
}

async function refused(thrown: unknown, isOpen: boolean): Promise<void> {
  const error = await withFullDiskNamed(thrown, options.dataDir)
  tell({ type: 'refused', message: messageOf(error), isOpen })
}

let unlock = () => {}

function open(): Writer | null {
  let isOpen = false
  let isOpened = false
  /** Met before anybody listens. */
  const damages: string[] = []
  try {
    unlock = takeInstanceLock(options.dataDir)
    const writer = new Writer(options, {
      dropped: (callId, packets) => tell({ type: 'dropped', callId, packets }),
      erasing: (calls) => tell({ type: 'erasing', calls }),
      damaged: (damage) => {
        const text = messageOf(damage)
        if (isOpened) tell({ type: 'damaged', damage: text })
        else damages.push(text)
      },
      checkpointFailed,
    })
    isOpen = true
    writer.recover()
    writer.clampDeadlines(options.now, options.dueWithin)
    const wordsFault = writer.checkWords()
    tell({ type: 'opened', lastKey: writer.lastKey(), damages, wordsFault })
    isOpened = true
    writer.resumeErasures()
    return writer
  } catch (error) {
    void refused(error, isOpen)
    return null
  }
}

const writer = open()

async function close(open: Writer): Promise<void> {
  try {
    await open.close()
    tell({ type: 'closed' })
  } catch (error) {
    // The log keeps what could not be moved; it must not be closed, or SQLite would try again behind our back.
    tell({ type: 'close-failed', message: messageOf(error) })
  }
}

port.on('message', (message: ToWriter) => {
  if (writer === null) return
  if (message.type === 'close') {
    void close(writer)
    return
  }
  if (message.type === 'end') {
    writer.end()
    unlock()
    port.close()
    return
  }
  if (message.type === 'pending-page' || message.type === 'pending-heads') {
    const page = writer.pending(message)
    port.postMessage({ type: 'pending', id: message.id, ...page } satisfies FromWriter, [page.records.buffer])
    return
  }
  try {
    tell(writer.commit(message))
  } catch (error) {
    void failed(message.id, error)
    return
  }
  try {
    writer.committed(message.records.byteLength)
  } catch (error) {
    checkpointFailed(codeOf(error), String(error))
  }
})
