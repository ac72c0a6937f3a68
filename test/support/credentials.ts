/** Tokens for a service under test, two of each role as in a rotation. */
export const tokens = {
  ingest: ['ingest-token-0000000001', 'ingest-token-0000000002'],
  supervisor: ['supervisor-token-00000001', 'supervisor-token-00000002'],
  admin: ['admin-token-00000000001', 'admin-token-00000000002'],
} as const

export const credentialSettings = {
  INGEST_TOKENS: tokens.ingest.join(','),
  SUPERVISOR_TOKENS: tokens.supervisor.join(','),
  ADMIN_TOKENS: tokens.admin.join(','),
} as const

export function bearer(token: string): { readonly authorization: string } {
  return { authorization: `Bearer ${token}` }
}
