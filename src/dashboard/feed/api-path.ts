/** Of the service’s API. Relative to the page, which stands beside it: a proxy may have both under a path of its own. */
export type ApiPath = `v1/${string}`

/** Where the service has a call; what it has of it is behind that. */
export const callPath = (callId: string): ApiPath => `v1/call/${encodeURIComponent(callId)}`
