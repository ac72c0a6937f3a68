/** The results as one HTML page that loads nothing from anywhere, in light and dark. */
import type { Check, Report, Results, ScenarioResult, TableData } from '../scenario.js'
import { chartFigure, escapeText } from './chart.js'
import { environmentText, formatCell } from './table.js'

const style = `
:root { color-scheme: light dark; --page: #fcfcfb; --card: #ffffff; --ink: #1a1a19; --soft: #5f5e5a; --line: #e3e2de;
  --met: #00734f; --short: #b3261e; --s0: #2a78d6; --s1: #d9541e; --s2: #0f8f64; --s3: #8a5cd6; --s4: #b07800; --s5: #c2477f; }
@media (prefers-color-scheme: dark) { :root { --page: #161615; --card: #1e1e1c; --ink: #eeeeec; --soft: #a8a7a1; --line: #383733;
  --met: #4cc38a; --short: #ff8a80; --s0: #5b9dec; --s1: #f07f4f; --s2: #3dbb8f; --s3: #ab88ea; --s4: #d9a32f; --s5: #e57aa8; } }
body { margin: 0 auto; max-width: 60rem; padding: 1.5rem; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.2rem; margin-top: 2.5rem; } p, li { color: var(--soft); }
section, figure { margin: 1rem 0; } .scroll { overflow-x: auto; }
figure { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 0.75rem 1rem; }
figcaption, caption { font-weight: 600; text-align: left; padding-bottom: 0.35rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; width: 100%; margin: 1rem 0; }
th, td { padding: 0.3rem 0.6rem; border-bottom: 1px solid var(--line); text-align: right; }
th:first-child, td:first-child { text-align: left; } th { color: var(--soft); font-weight: 500; }
.met { color: var(--met); } .short { color: var(--short); font-weight: 600; } td.met, td.short { white-space: nowrap; }
svg { width: 100%; height: auto; display: block; } svg text { fill: var(--soft); font-size: 12px; }
svg .axis { fill: var(--ink); font-size: 13px; } .grid { stroke: var(--line); }
.bound { stroke: var(--soft); stroke-dasharray: 5 4; }
.series polyline { fill: none; stroke: var(--c); stroke-width: 2; stroke-linejoin: round; }
.series circle { fill: var(--c); stroke: var(--card); }
.legend { display: flex; flex-wrap: wrap; gap: 0.2rem 1rem; color: var(--soft); font-size: 13px; }
.key i { display: inline-block; width: 12px; height: 12px; border-radius: 3px; margin-right: 6px; background: var(--c); }
${[0, 1, 2, 3, 4, 5].map((index) => `.s${index} { --c: var(--s${index}); }`).join(' ')}
`

function table({ title, columns, rows }: TableData): string {
  const head = columns.map(
    ({ name, unit }) => `<th>${escapeText(unit === undefined ? name : `${name}, ${unit}`)}</th>`,
  )
  const body = rows.map((row) => {
    const cells = row.map((cell, index) => `<td>${escapeText(formatCell(cell, columns[index]?.digits))}</td>`)
    return `<tr>${cells.join('')}</tr>`
  })
  return `<div class="scroll"><table><caption>${escapeText(title)}</caption><thead><tr>${head.join('')}</tr></thead><tbody>${body.join('')}</tbody></table></div>`
}

function checkRow({ name, wanted, found, isMet }: Check): string {
  const verdict = isMet ? '<td class="met">met</td>' : '<td class="short">falls short</td>'
  return `<tr><td>${escapeText(name)}</td><td>${escapeText(wanted)}</td><td>${escapeText(found)}</td>${verdict}</tr>`
}

function checks(all: readonly Check[]): string {
  if (all.length === 0) return ''
  return `<div class="scroll"><table><thead><tr><th>what</th><th>wanted</th><th>found</th><th></th></tr></thead><tbody>${all.map(checkRow).join('')}</tbody></table></div>`
}

const list = (notes: readonly string[]) =>
  notes.length === 0 ? '' : `<ul>${notes.map((note) => `<li>${escapeText(note)}</li>`).join('')}</ul>`

const report = (found: Report) =>
  [
    checks(found.checks),
    found.charts.map(chartFigure).join(''),
    found.tables.map(table).join(''),
    list(found.notes),
  ].join('')

function section({ name, title, summary, outcome }: ScenarioResult): string {
  const body =
    outcome.kind === 'measured'
      ? report(outcome.report)
      : `<p class="short">${outcome.kind}: ${escapeText(outcome.reason)}</p>`
  return `<section id="${escapeText(name)}"><h2>${escapeText(title)}</h2><p>${escapeText(summary)}</p>${body}</section>`
}

function headText({ environment, rounds, seconds, isQuick }: Results): string {
  return `${environmentText(environment)} · medians of ${rounds} alternating rounds of ${seconds} s${isQuick ? ' (quick)' : ''}. The load generators share the cores with what they measure.`
}

export function pageOf(results: Results): string {
  return documentOf('VoiceStream: measurements', headText(results), results.scenarios)
}

export function documentOf(title: string, head: string, scenarios: readonly ScenarioResult[]): string {
  const all = scenarios.flatMap(({ outcome }) => (outcome.kind === 'measured' ? outcome.report.checks : []))
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>${escapeText(title)}</title><style>${style}</style></head><body><h1>${escapeText(title)}</h1><p>${escapeText(head)}</p>${checks(all)}${scenarios.map(section).join('')}</body></html>\n`
}
