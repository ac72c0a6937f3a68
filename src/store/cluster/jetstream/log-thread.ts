/** The thread of the log: the client of the engine runs here, because its work for each message would be the main thread's. */
import { parentPort, workerData } from 'node:worker_threads'
import { systemClock } from '../../../clock.js'
import { messageOf } from '../../../errors.js'
import { Appends } from './appends.js'
import { Engine } from './engine.js'
import { Following } from './following.js'
import { trimStream } from './stream.js'
import type { FromLogThread, LogThreadData, ToLogThread } from './thread-messages.js'

const port = parentPort
if (port === null) throw new Error('log-thread is not a program')
const { engine: options, stream } = workerData as LogThreadData
const tell = (message: FromLogThread, buffers: ArrayBuffer[] = []) => port.postMessage(message, buffers)

function serve(engine: Engine): void {
  const appends = new Appends(engine, stream)
  const followings = new Map<number, Following>()

  // Thrown in the thread, it ends it, which its owner hears.
  void engine.closed().then((error) => {
    if (error !== null) throw error
  })

  const follow = (number: number, after: number) =>
    followings.set(
      number,
      new Following({
        engine,
        clock: systemClock,
        stream,
        after,
        taker: {
          message: (message) =>
            tell({ type: 'message', number, message }, [message.body.buffer as ArrayBuffer]),
          trimmed: (first) => tell({ type: 'trimmed', number, first }),
          lost: (last) => tell({ type: 'lost', number, last }),
        },
      }),
    )

  const trim = (number: number, through: number) =>
    trimStream(engine, stream, through).then(
      () => tell({ type: 'trim-done', number, error: null }),
      (error: unknown) => tell({ type: 'trim-done', number, error: messageOf(error) }),
    )

  const close = async () => {
    for (const following of followings.values()) following.end()
    await engine.close()
    port?.close()
  }

  port?.on('message', (message: ToLogThread) => {
    switch (message.type) {
      case 'append': {
        const { number, attempt } = message
        void appends.append(attempt).then((outcome) => tell({ type: 'outcome', number, outcome }))
        break
      }
      case 'follow':
        follow(message.number, message.after)
        break
      case 'taken':
        followings.get(message.number)?.taken(message.bytes)
        break
      case 'unfollow':
        followings.get(message.number)?.end()
        followings.delete(message.number)
        break
      case 'trim':
        void trim(message.number, message.through)
        break
      case 'close':
        void close()
        break
    }
  })
}

try {
  serve(await Engine.connect(options))
  tell({ type: 'opened' })
} catch (error) {
  tell({ type: 'refused', message: messageOf(error) })
  port.close()
}
