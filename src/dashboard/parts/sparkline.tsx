/** A curve without axes beside a figure: which way it goes, no more. */
const [width, height] = [96, 28]

export function Sparkline({ points }: { readonly points: readonly number[] }) {
  if (points.length < 2) return <span class="sparkline-none" />
  const most = Math.max(...points, 1)
  const step = width / (points.length - 1)
  const path = points
    .map(
      (value, index) =>
        `${(index * step).toFixed(1)},${(height - 2 - (value / most) * (height - 4)).toFixed(1)}`,
    )
    .join(' ')
  return (
    <svg
      class="sparkline"
      width={width}
      height={height}
      viewBox={`0 0 ${width} ${height}`}
      aria-hidden="true"
      focusable="false"
    >
      <polygon points={`0,${height} ${path} ${width},${height}`} class="sparkline-area" />
      <polyline points={path} class="sparkline-line" />
    </svg>
  )
}
