/** The details of a call, as names and values. Pure. */
import type { CallView } from '../../protocol/call.js'
import type { Media } from '../../protocol/media.js'
import { formatCount } from '../format.js'

export interface DetailLine {
  /** Of the list: a label of the PBX may be called as one of ours. */
  readonly key: string
  readonly name: string
  readonly value: string
}

const encodingNames: Readonly<Record<Media['encoding'], string>> = {
  text: 'Text',
  mulaw: 'G.711 µ-law',
  alaw: 'G.711 A-law',
  pcm_s16le: 'PCM, 16 bits',
  other: 'Another codec',
}

/** Empty where nobody said anything: that a call carries text is what a service takes for granted. */
export function detailLinesOf(view: CallView): readonly DetailLine[] {
  const { media, direction, caller, callee, agent, queue, metadata = {} } = view
  const said = Object.entries({ Caller: caller, Callee: callee, Agent: agent, Queue: queue, direction })
  const lines = said.flatMap(([name, value]): DetailLine[] => {
    if (value === null) return []
    if (name === 'direction') return [{ key: name, name: 'Direction', value: capitalised(value) }]
    return [{ key: name, name, value }]
  })
  const labels = Object.entries(metadata).map(([name, value]) => ({ key: `meta.${name}`, name, value }))
  if (lines.length + labels.length === 0 && media.encoding === 'text') return []
  return [...lines, { key: 'media', name: 'Carries', value: describeMedia(media) }, ...labels]
}

export function describeMedia({ encoding, codec, sample_rate: rate, channels }: Media): string {
  if (encoding === 'text') return encodingNames.text
  const sides = channels === 1 ? 'mono' : channels === 2 ? 'stereo' : `${formatCount(channels)} channels`
  return `${codec ?? encodingNames[encoding]}, ${rate / 1000} kHz, ${sides}`
}

const capitalised = (text: string) => text.slice(0, 1).toUpperCase() + text.slice(1)
