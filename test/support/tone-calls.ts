/** Calls of 16 bits at 8 kHz, posted whole. */
import { bulkLines, postLines } from './command.js'
import { post } from './service.js'

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
  await postTonePackets(service, callId, 0, seconds)
  await post(service, `/v1/call/complete/${callId}`, { total_packets: seconds * 50 })
}

/** Those of the seconds from `first` to before `end`. */
export async function postTonePackets(
  service: { readonly url: string },
  callId: string,
  first: number,
  end: number,
): Promise<void> {
  for (let at = first * 50; at < end * 50; at += packetsAtOnce) {
    const count = Math.min(packetsAtOnce, end * 50 - at)
    const sequences = Array.from({ length: count }, (_, index) => at + index)
    await postLines(
      service,
      bulkLines(callId, sequences, (sequence) => second[sequence % 50] ?? ''),
    )
  }
}
