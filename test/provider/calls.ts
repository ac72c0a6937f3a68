/** Calls of 16 bits at 8 kHz, posted whole. */
import { bulkLines, postLines } from '../support/command.js'
import { post } from '../support/service.js'

const packetsAtOnce = 1000
const framesPerPacket = 160

/** One second of a tone, in packets of 20 ms, base64. */
const second = Array.from({ length: 50 }, (_, packet) => {
  const samples = Buffer.alloc(framesPerPacket * 2)
  for (let frame = 0; frame < framesPerPacket; frame++) {
    const at = packet * framesPerPacket + frame
    samples.writeInt16LE(Math.round(8000 * Math.sin((at * Math.PI * 880) / 8000)), frame * 2)
  }
  return samples.toString('base64')
})

/** A call of so many seconds of a tone, completed. */
export async function postTone(
  service: { readonly url: string },
  callId: string,
  seconds: number,
): Promise<void> {
  const count = seconds * 50
  for (let first = 0; first < count; first += packetsAtOnce) {
    const sequences = Array.from({ length: Math.min(packetsAtOnce, count - first) }, (_, at) => first + at)
    await postLines(
      service,
      bulkLines(callId, sequences, (sequence) => second[sequence % 50] ?? ''),
    )
  }
  await post(service, `/v1/call/complete/${callId}`, { total_packets: count })
}
