/** Subtitles, which servers send that were started for them: SubRip, WebVTT, YouTube’s, LRC and the lines of whisper.cpp. */

export interface Cue {
  /** Seconds. */
  readonly start: number
  readonly end: number
  readonly text: string
}

const timing =
  /^\[?((?:\d+:)?\d{1,2}:\d{2}[.,]\d{1,3})(?: --> |,(?=\d+:))((?:\d+:)?\d{1,2}:\d{2}[.,]\d{1,3})\]?(.*)$/

/** Null for what is none: it begins neither with `WEBVTT`, nor with a time, nor with a number and a time below it. */
export function cuesIn(text: string): readonly Cue[] | null {
  const lines = text.split(/\r\n|\r|\n/)
  const sung = linesOfSong(lines)
  if (sung !== null) return sung
  const isTimed = timing.test(lines[0] ?? '') || (/^\d+$/.test(lines[0] ?? '') && timing.test(lines[1] ?? ''))
  if (!isTimed && !/^WEBVTT(?:[ \t]|$)/.test(lines[0] ?? '')) return null
  const cues: { start: number; end: number; text: string }[] = []
  let isOpen = false
  for (const [index, line] of lines.entries()) {
    const found = timing.exec(line)
    if (found !== null) {
      const [, start = '', end = '', rest = ''] = found
      // Behind the brackets of whisper.cpp stand the words, behind a cue of WebVTT its settings.
      cues.push({ start: secondsOf(start), end: secondsOf(end), text: line.startsWith('[') ? rest : '' })
      isOpen = true
    } else if (line.trim() === '') isOpen = false
    else if (isOpen && !(/^\d+$/.test(line) && timing.test(lines[index + 1] ?? ''))) {
      const last = cues.at(-1)
      if (last !== undefined) last.text += ` ${line.replace(/<[^>]*>/g, '')}`
    }
  }
  return cues
}

const sungLine = /^\[(\d{1,3}:\d{2}\.\d{2,3})\](.*)$/

/** LRC: a line begins at its time and ends where the next one begins. */
function linesOfSong(lines: readonly string[]): readonly Cue[] | null {
  const told = lines.filter((line) => line.trim() !== '' && !/^\[[a-z]+:.*\]$/.test(line))
  const found = told.map((line) => sungLine.exec(line))
  if (found.length === 0 || found.some((line) => line === null)) return null
  const starts = found.map((line) => secondsOf(line?.[1] ?? ''))
  return found.map((line, index) => ({
    start: starts[index] ?? 0,
    end: starts[index + 1] ?? Number.POSITIVE_INFINITY,
    text: line?.[2] ?? '',
  }))
}

/** `1:02:03.4` and the like. */
export function secondsOf(clock: string): number {
  return clock
    .replace(',', '.')
    .split(':')
    .reduce((seconds, part) => seconds * 60 + Number(part), 0)
}
