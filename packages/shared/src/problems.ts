/**
 * Every problem that the API answers with: its stable code, HTTP status and title.
 * Clients branch on the code alone; `detail` is for people and may change.
 */
export const problems = {
  invalid_json: { status: 400, title: 'The body is not valid JSON' },
  invalid_request: { status: 400, title: 'The request is not as it should be' },
  invalid_grant: { status: 400, title: 'The session has ended' },
  multipart_invalid: { status: 400, title: 'The multipart body is broken' },
  image_empty: { status: 400, title: 'The picture is empty' },
  digest_mismatch: { status: 400, title: 'The bytes do not match their digest' },
  body_incomplete: { status: 400, title: 'The body was cut short' },
  wrong_credentials: { status: 401, title: 'Wrong name or password' },
  token_missing: { status: 401, title: 'An access token is needed' },
  token_invalid: { status: 401, title: 'The access token is not valid' },
  token_expired: { status: 401, title: 'The access token has expired' },
  token_revoked: { status: 401, title: 'The access token has been revoked' },
  wrong_password: { status: 403, title: 'The present password is wrong' },
  key_only_uploads: { status: 403, title: 'An upload key may only upload' },
  admin_only: { status: 403, title: 'Only an administrator may do this' },
  registration_closed: { status: 403, title: 'Registration is closed' },
  not_found: { status: 404, title: 'Not found' },
  method_not_allowed: { status: 405, title: 'The method is not allowed here' },
  request_timeout: { status: 408, title: 'The request took too long' },
  last_admin: { status: 409, title: 'The last administrator cannot be removed' },
  too_many_keys: { status: 409, title: 'There are too many upload keys' },
  username_taken: { status: 409, title: 'The name is taken' },
  precondition_failed: { status: 412, title: 'A condition of the request is not met' },
  body_too_large: { status: 413, title: 'The body is too large' },
  image_too_large: { status: 413, title: 'The picture is too large' },
  content_type_unsupported: { status: 415, title: 'The content type is not supported' },
  image_type_unsupported: { status: 415, title: 'Not a picture that is accepted' },
  expectation_failed: { status: 417, title: 'The Expect header is not understood' },
  key_name_invalid: { status: 422, title: 'The name of the key is not allowed' },
  username_invalid: { status: 422, title: 'The name is not allowed' },
  password_too_short: { status: 422, title: 'The password is too short' },
  password_too_long: { status: 422, title: 'The password is too long' },
  password_invalid: { status: 422, title: 'The password is not allowed' },
  password_common: { status: 422, title: 'The password is too common' },
  image_invalid: { status: 422, title: 'The picture cannot be read' },
  image_too_many_pixels: { status: 422, title: 'The picture has too many pixels' },
  too_many_attempts: { status: 429, title: 'Too many attempts' },
  upload_limit_reached: { status: 429, title: 'The upload limit is reached' },
  headers_too_large: { status: 431, title: 'The headers are too large' },
  internal_error: { status: 500, title: 'The server failed' },
  server_busy: { status: 503, title: 'The server is busy' },
  storage_unavailable: { status: 503, title: 'The storage does not answer' },
  quota_exceeded: { status: 507, title: 'Your storage is full' },
  storage_full: { status: 507, title: 'The storage is full' },
} as const satisfies Record<string, { status: number; title: string }>;

export type ProblemCode = keyof typeof problems;

/** The `type` member of a problem (RFC 9457, section 3.1.1): a name, not a page. */
export function problemType(code: ProblemCode): string {
  return `urn:imgup:problem:${code.replaceAll('_', '-')}`;
}
