/**
 * A live call as sound: its WAV file without an end is read as it comes and played by the browser's audio clock. A player element
 * would send no credential, and buffer for as long as it likes.
 */
import { type ApiPath, callPath } from './api-path.js'
import { NotAnswered, NotSignedIn, reasonOf, type Session } from './session.js'

export type LiveState =
  | { readonly kind: 'off' | 'connecting' | 'over' }
  | { readonly kind: 'playing'; readonly channels: number }
  | { readonly kind: 'failed'; readonly reason: string }

/** What comes is played so much later, so that the next part is there in time. */
const leadSeconds = 0.2
/** After a file that ended because a voice has joined: the service knows the voice at once. */
const rejoinMs = 250
const headerBytes = 44
/** The service restarts, or is busy: a listener that waits a little goes on by himself. */
const retryMs = 1000
const failuresMax = 10

export class LiveSound {
  state: LiveState = { kind: 'off' }
  readonly #session: Session
  readonly #path: ApiPath
  readonly #changed: () => void
  #context: AudioContext | null = null
  #analyser: AnalyserNode | null = null
  #gains: GainNode[] = []
  #leaving = new AbortController()
  #balance = 0
  #nextAt = 0
  /** In a row. */
  #failures = 0

  constructor(session: Session, callId: string, changed: () => void) {
    this.#session = session
    this.#path = `${callPath(callId)}/audio.wav?live=true`
    this.#changed = changed
  }

  /** To be called by a press: a browser lets nothing sound without one. */
  async start(behind: number): Promise<void> {
    this.stop()
    const leaving = new AbortController()
    this.#leaving = leaving
    this.#context = new AudioContext()
    this.#analyser = this.#context.createAnalyser()
    this.#analyser.connect(this.#context.destination)
    this.#become({ kind: 'connecting' })
    this.#failures = 0
    while (!leaving.signal.aborted) {
      try {
        await this.#play(behind, leaving.signal)
        await waited(rejoinMs)
      } catch (error) {
        if (leaving.signal.aborted) return
        if (!isPassing(error) || ++this.#failures > failuresMax) return this.#end(error)
        this.#become({ kind: 'connecting' })
        await waited(retryMs)
      }
    }
  }

  #end(error: unknown): void {
    this.stop()
    const isOver = error instanceof NotAnswered && (error.status === 409 || error.status === 404)
    this.#become(isOver ? { kind: 'over' } : { kind: 'failed', reason: reasonOf(error) })
  }

  stop(): void {
    this.#leaving.abort()
    void this.#context?.close()
    this.#context = null
    this.#analyser = null
    this.#gains = []
    this.#become({ kind: 'off' })
  }

  /** −1: the first voice alone; 1: the others alone. */
  balance(value: number): void {
    this.#balance = value
    for (const [channel, gain] of this.#gains.entries())
      gain.gain.value = Math.min(1, channel === 0 ? 1 - value : 1 + value)
  }

  /** From 0 to 1, of what is heard now. */
  level(): number {
    if (this.#analyser === null) return 0
    const samples = new Float32Array(this.#analyser.fftSize)
    this.#analyser.getFloatTimeDomainData(samples)
    return Math.min(1, Math.sqrt(samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length))
  }

  #become(state: LiveState): void {
    this.state = state
    this.#changed()
  }

  /** Resolves at the end of the file. */
  async #play(behind: number, signal: AbortSignal): Promise<void> {
    const answer = await this.#session.ask(`${this.#path}&behind=${behind}`, 'GET', signal)
    const reader = (answer.body as ReadableStream<Uint8Array>).getReader()
    let rest = new Uint8Array(0)
    let format: { readonly channels: number; readonly rate: number } | null = null
    for (;;) {
      const { done, value } = await reader.read()
      if (done || signal.aborted) return
      rest = joined(rest, value)
      if (format === null) {
        if (rest.length < headerBytes) continue
        const view = new DataView(rest.buffer, rest.byteOffset)
        format = { channels: view.getUint16(22, true), rate: view.getUint32(24, true) }
        rest = rest.subarray(headerBytes)
        this.#nextAt = 0
        this.#connect(format.channels)
        this.#failures = 0
        this.#become({ kind: 'playing', channels: format.channels })
      }
      const frames = Math.floor(rest.length / 2 / format.channels)
      if (frames === 0) continue
      this.#schedule(rest, frames, format)
      rest = rest.slice(frames * 2 * format.channels)
    }
  }

  /** Each voice is heard in both ears. */
  #connect(channels: number): void {
    const [context, analyser] = [this.#context as AudioContext, this.#analyser as AnalyserNode]
    for (const gain of this.#gains) gain.disconnect()
    this.#gains = Array.from({ length: channels }, () => {
      const gain = context.createGain()
      gain.connect(analyser)
      return gain
    })
    this.balance(this.#balance)
  }

  #schedule(bytes: Uint8Array, frames: number, { channels, rate }: { channels: number; rate: number }): void {
    const context = this.#context
    if (context === null) return
    const view = new DataView(bytes.buffer, bytes.byteOffset)
    // A part that came too late begins now, and what follows it is as much later.
    if (this.#nextAt < context.currentTime) this.#nextAt = context.currentTime + leadSeconds
    for (const [channel, gain] of this.#gains.entries()) {
      const buffer = context.createBuffer(1, frames, rate)
      const samples = buffer.getChannelData(0)
      for (let frame = 0; frame < frames; frame++)
        samples[frame] = view.getInt16((frame * channels + channel) * 2, true) / 0x8000
      const source = context.createBufferSource()
      source.buffer = buffer
      source.connect(gain)
      source.start(this.#nextAt)
    }
    this.#nextAt += frames / rate
  }
}

const waited = (ms: number) => new Promise((over) => setTimeout(over, ms))

/** Another answer may come soon. */
function isPassing(error: unknown): boolean {
  if (error instanceof NotAnswered) return error.status === 503
  return !(error instanceof NotSignedIn)
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(first.length + second.length)
  whole.set(first)
  whole.set(second, first.length)
  return whole
}
