/** The tracks of a call: what each carries, and what of it arrived. */
import type { CallView } from '../../protocol/call.js'
import { formatCount } from '../format.js'
import { describeMedia } from '../model/call-details.js'

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

export function trackName({ track, name }: { readonly track: number; readonly name: string | null }): string {
  return name ?? `Track ${track}`
}
