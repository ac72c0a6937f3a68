/** The tracks of a call: what each carries, and what of it arrived. */
import type { CallView, TrackView } from '../../protocol/call.js'
import { formatCount } from '../format.js'
import { describeMedia } from '../model/call-details.js'
import { GapPicture } from '../parts/gap-picture.js'

export function Tracks({ tracks }: { readonly tracks: NonNullable<CallView['tracks']> }) {
  return (
    <table class="tracks">
      <thead class="quiet">
        <tr>
          <th scope="col">Track</th>
          <th scope="col">Received</th>
          <th scope="col">Missing</th>
          <th scope="col">Carries</th>
        </tr>
      </thead>
      <tbody>
        {tracks.map(({ track, name, total_received, missing_count, media }) => (
          <tr key={track}>
            <th scope="row" dir="auto">
              {trackName({ track, name })}
            </th>
            <td>{total_received === 0 ? 'nothing yet' : formatCount(total_received)}</td>
            <td class={missing_count > 0 ? 'tone-bad' : ''}>{formatCount(missing_count)}</td>
            <td>{describeMedia(media)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}

/** Of a track behind the first one: its missing ranges as they were read with the call, none of its late packets. */
export function TrackPackets({ track }: { readonly track: TrackView }) {
  const { highest_sequence: highest, expected_total_packets: expected, missing_ranges: ranges } = track
  const last = Math.max(highest ?? -1, (expected ?? 0) - 1)
  if (last < 0) return <p class="quiet">No packet yet.</p>
  const listed = ranges.reduce((sum, [from, to]) => sum + to - from + 1, 0)
  return (
    <>
      <GapPicture ranges={ranges} late={noneLate} last={last} version={track.total_received} />
      {listed < track.missing_count && (
        <p class="quiet small">
          The first {formatCount(ranges.length)} missing ranges are shown. The API has the others.
        </p>
      )}
    </>
  )
}

const noneLate: ReadonlySet<number> = new Set()

export function trackName({ track, name }: { readonly track: number; readonly name: string | null }): string {
  return name ?? `Track ${track}`
}
