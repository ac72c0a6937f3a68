/** Light, dark, or as the viewer's system has it. */
import { useEffect, useState } from 'preact/hooks'

type ThemeChoice = 'auto' | 'light' | 'dark'

const storageKey = 'voicestream.theme'
const choices: readonly ThemeChoice[] = ['auto', 'light', 'dark']
const dark = matchMedia('(prefers-color-scheme: dark)')
const listeners = new Set<() => void>()
let chosen: ThemeChoice = read()

function read(): ThemeChoice {
  try {
    const stored = localStorage.getItem(storageKey)
    return choices.find((choice) => choice === stored) ?? 'auto'
  } catch {
    // Forbidden by the browser: then the system's choice holds.
    return 'auto'
  }
}

function shown(): 'light' | 'dark' {
  if (chosen !== 'auto') return chosen
  return dark.matches ? 'dark' : 'light'
}

export function applyTheme(): void {
  document.documentElement.dataset['theme'] = shown()
  for (const listener of listeners) listener()
}

export function currentChoice(): ThemeChoice {
  return chosen
}

export function chooseNextTheme(): void {
  chosen = choices[(choices.indexOf(chosen) + 1) % choices.length] ?? 'auto'
  try {
    localStorage.setItem(storageKey, chosen)
  } catch {
    // It holds until the page is closed.
  }
  applyTheme()
}

export function useTheme(): 'light' | 'dark' {
  const [theme, setTheme] = useState(shown())
  useEffect(() => {
    const listener = () => setTheme(shown())
    listeners.add(listener)
    return () => {
      listeners.delete(listener)
    }
  }, [])
  return theme
}

dark.addEventListener('change', applyTheme)
