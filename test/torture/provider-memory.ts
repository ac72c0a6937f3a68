/** A call of hours is analysed a piece at a time: what the service takes of memory for it, as the kernel counts. */
import { OpenAiServer } from '../support/openai-server.js'
import { eventually, get, post } from '../support/service.js'
import { postTonePackets } from '../support/tone-calls.js'
import { forgetPeak, mebibytes, residentOf } from './memory.js'
import { type Stage, sleep } from './stage.js'
import type { Verdict } from './verdict.js'

export interface LongCallPlan {
  readonly hours: number
  readonly growthMebibytesMax: number
}

const pieceMs = 300_000
/** What taking the packets in has left behind is given back meanwhile. */
const restMs = 3000

export async function runLongCall(
  stage: Stage,
  { hours, growthMebibytesMax }: LongCallPlan,
): Promise<Verdict> {
  const server = await OpenAiServer.start()
  stage.after(() => server.stop())
  server.keepsBodies = false
  const service = await stage.service({
    dataDir: stage.folder(),
    settings: {
      ...server.settings,
      AI_PIECE_MS: pieceMs,
      DEFAULT_ENCODING: 'pcm_s16le',
    },
  })
  let bytes = 0
  const { script } = server
  server.script = (request, index) => {
    bytes += Math.max(0, (request.file?.length ?? 0) - 44)
    return script(request, index)
  }
  const seconds = hours * 3600
  const pid = service.child.pid ?? 0
  // One call before it, so that what the first analysis of a process costs is not counted.
  await postTonePackets(service, 'first', 0, 1)
  await post(service, '/v1/call/complete/first', { total_packets: 50 })
  await postTonePackets(service, 'long', 0, seconds)
  await sleep(restMs)
  const [heardBefore, before] = [bytes, residentOf(pid).bytes]
  forgetPeak(pid)
  await post(service, '/v1/call/complete/long', { total_packets: seconds * 50 })
  const { body } = await eventually(
    () => get(service, '/v1/call/long'),
    (answer) => ['ARCHIVED', 'FAILED'].includes(String(answer.body['state'])),
    600_000,
  )
  const grown = mebibytes(residentOf(pid).peakBytes - before)
  const findings: string[] = []
  if (body['state'] !== 'ARCHIVED')
    findings.push(`the call is ${body['state']}: ${JSON.stringify(body['ai'])}`)
  if (bytes - heardBefore !== seconds * 16_000)
    findings.push(`${bytes - heardBefore} bytes were heard, and not ${seconds * 16_000}`)
  if (grown > growthMebibytesMax) findings.push(`memory grew by ${grown} MiB`)
  const pieces = server.requests.filter(({ file }) => file !== null).length - 1
  return {
    counts: { seconds, pieces },
    notes: { residentBeforeMebibytes: mebibytes(before), growthMebibytes: grown },
    faults: Math.max(0, pieces - 1),
    findings,
  }
}
