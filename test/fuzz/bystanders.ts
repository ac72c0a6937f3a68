/** Calls that no valid input touches: what they are is known, and they must stay so. */
import { chunk, formatChunk, muLaw, riff } from '../support/wav-files.js'
import type { Connection } from '../torture/requests.js'

/** `sound` is one of audio; `done` and `sound` have ended, with their second packet missing. */
export const bystanders = {
  open: 'bystander.open',
  done: 'bystander.done',
  sound: 'bystander.sound',
} as const
export const endedBystanders: readonly string[] = [bystanders.done, bystanders.sound]
export const doneTotal = 3
const sequences = [0, 2]

const samplesOf = (sequence: number) => Buffer.from(Array.from({ length: 161 }, (_, i) => i + sequence))

/** What the recording of `sound` must be: its packets, and silence of the length of one between them. */
export function soundFile(): Buffer {
  const samples = Buffer.concat([samplesOf(0), Buffer.alloc(161, 0xff), samplesOf(2)])
  const frames = Buffer.alloc(4)
  frames.writeUInt32LE(samples.length)
  return riff(
    formatChunk({ ...muLaw, extension: Buffer.alloc(2) }),
    chunk('fact', frames),
    chunk('data', samples),
  )
}

/** The words of both transcripts that are spelled with letters alone. */
export const transcriptWords = ['simulated', 'transcription', 'of', 'packets', 'bytes', 'data', 'missing']

export async function stageBystanders(sender: Connection, reader: Connection): Promise<void> {
  const media = { encoding: 'mulaw', sample_rate: 8000, channels: 1 }
  await sender.post(`/v1/call/start/${bystanders.sound}`, JSON.stringify({ media }))
  for (const call of Object.values(bystanders))
    for (const sequence of sequences) {
      const data = call === bystanders.sound ? samplesOf(sequence).toString('base64') : 'x'
      await sender.post(`/v1/call/stream/${call}`, JSON.stringify({ sequence, data, timestamp: 1 }))
    }
  for (const call of endedBystanders) {
    await sender.post(`/v1/call/complete/${call}`, JSON.stringify({ total_packets: doneTotal }))
    for (let isEnded = false; !isEnded; ) {
      const answer = await reader.get(`/v1/call/${call}`)
      if (answer.kind !== 'answered') throw new Error(`no bystander: ${answer.reason}`)
      isEnded = answer.text.includes('"ARCHIVED"')
    }
  }
}

/** Everything that can be read of them, as it is. */
export async function readBystanders(reader: Connection): Promise<string> {
  const texts: string[] = []
  for (const call of Object.values(bystanders))
    for (const part of ['', '/packets', '/gaps', '/transcript', '/audio.wav']) {
      const answer = await reader.get(`/v1/call/${call}${part}`)
      texts.push(answer.kind === 'answered' ? `${answer.status} ${answer.text}` : answer.reason)
    }
  return texts.join('\n')
}
