/** What a service counts, read from `/metrics`. */
import { getText } from './service.js'

export type Readings = ReadonlyMap<string, number>

/** By name and labels as they are written, for example `voicestream_packets_total{status="accepted"}`. */
export async function readMetrics(service: { readonly url: string }): Promise<Readings> {
  const text = await getText(service, '/metrics')
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(
    lines.map((line) => {
      const space = line.lastIndexOf(' ')
      return [line.slice(0, space), Number(line.slice(space + 1))] as const
    }),
  )
}

/** 0 for what was never counted. */
export async function readMetric(service: { readonly url: string }, name: string): Promise<number> {
  return (await readMetrics(service)).get(name) ?? 0
}

export const residentBytes = (service: { readonly url: string }): Promise<number> =>
  readMetric(service, 'voicestream_process_resident_memory_bytes')
