/**
 * The ceiling: a uWebSockets.js handler that reads the body and answers a fixed 202. What is missing to its rate is
 * what decoding, the actors, the journal and the disk cost. Prints `{"msg":"listening","port":…}`, as the service does.
 */
import { createApp, listenExclusively, localPort } from '../src/http/uws.js'

const receipt =
  '{"status":"accepted","message":"Packet received successfully","call_id":"bench-0000","sequence":100000,"total_received":100001,"missing_sequences":[],"missing_count":0,"duplicate":false}'

const app = createApp()
app.post('/v1/call/stream/:call_id', (res) => {
  let aborted = false
  res.onAborted(() => {
    aborted = true
  })
  res.onData((_chunk, isLast) => {
    if (isLast && !aborted)
      res.cork(() =>
        res.writeStatus('202 Accepted').writeHeader('Content-Type', 'application/json').end(receipt),
      )
  })
})
const socket = await listenExclusively(app, '127.0.0.1', 0)
console.log(JSON.stringify({ msg: 'listening', host: '127.0.0.1', port: localPort(socket) }))
