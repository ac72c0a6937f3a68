/** A file that is served out of memory, in the best encoding that its reader takes. */
export interface StaticFile {
  readonly status: string
  readonly contentType: string
  readonly body: Buffer
  readonly headers: readonly (readonly [name: string, value: string])[]
  /** Best first. */
  readonly encodings: readonly (readonly [name: string, body: Buffer])[]
}

/** What to send to a reader with this `Accept-Encoding`. A coding with `q=0` is one that it refuses. */
export function variantOf(
  file: StaticFile,
  acceptEncoding: string,
): { readonly body: Buffer; readonly headers: StaticFile['headers'] } {
  const accepted = acceptEncoding.split(',').map((part) => part.trim().toLowerCase().replaceAll(' ', ''))
  const takes = (name: string) =>
    accepted.some(
      (part) => part === name || (part.startsWith(`${name};q=`) && Number(part.split('q=')[1]) > 0),
    )
  for (const [name, body] of file.encodings)
    if (takes(name)) return { body, headers: [...file.headers, ['Content-Encoding', name]] }
  return { body: file.body, headers: file.headers }
}
