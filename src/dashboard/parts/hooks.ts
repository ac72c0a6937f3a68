import { useEffect, useState } from 'preact/hooks'

/** Whether a media query holds, now and later. */
export function useMedia(query: string): boolean {
  const [holds, setHolds] = useState(() => matchMedia(query).matches)
  useEffect(() => {
    const media = matchMedia(query)
    const listener = () => setHolds(media.matches)
    media.addEventListener('change', listener)
    return () => media.removeEventListener('change', listener)
  }, [query])
  return holds
}

/** Copies a text; true for the two seconds after it. */
export function useCopy(): readonly [isCopied: boolean, copy: (text: string) => void] {
  const [copiedAt, setCopiedAt] = useState(0)
  useEffect(() => {
    if (copiedAt === 0) return
    const timer = setTimeout(() => setCopiedAt(0), 2000)
    return () => clearTimeout(timer)
  }, [copiedAt])
  const copy = (text: string) => {
    // Without TLS there is a clipboard on loopback addresses only; the text is there to be marked by hand.
    void navigator.clipboard?.writeText(text).then(
      () => setCopiedAt(Date.now()),
      () => {},
    )
  }
  return [copiedAt !== 0, copy]
}

/** Seen in the list of tabs, too, by a viewer who looks at another one. */
export function useTitle(title: string): void {
  useEffect(() => {
    document.title = title
  }, [title])
}
