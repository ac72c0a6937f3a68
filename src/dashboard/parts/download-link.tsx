/** A link to a file of the service. A link sends no credential, so with one the file is fetched, then handed over. */
import { useState } from 'preact/hooks'
import type { ApiPath } from '../feed/api-path.js'
import type { Session } from '../feed/session.js'

interface DownloadLinkProps {
  readonly path: ApiPath
  readonly fileName: string
  readonly name: string
  readonly label: string
  readonly session: Session
}

export function DownloadLink({ path, fileName, name, label, session }: DownloadLinkProps) {
  const [status, setStatus] = useState<'idle' | 'fetching' | 'failed'>('idle')
  const fetchFile = async () => {
    setStatus('fetching')
    try {
      save(await session.file(path), fileName)
      setStatus('idle')
    } catch {
      setStatus('failed')
    }
  }
  return (
    <span class="download">
      <a
        href={path}
        download={fileName}
        aria-label={label}
        onClick={(event) => {
          if (!session.hasToken) return
          event.preventDefault()
          if (status !== 'fetching') void fetchFile()
        }}
      >
        {name}
      </a>
      <span class="quiet small" role="status">
        {status === 'fetching' && 'fetching…'}
        {status === 'failed' && 'could not be fetched'}
      </span>
    </span>
  )
}

/** How long a browser may take to begin with what it was handed. */
const handOverMs = 60_000

function save(file: Blob, fileName: string): void {
  const link = document.createElement('a')
  link.href = URL.createObjectURL(file)
  link.download = fileName
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), handOverMs)
}
