/** Every path of the HTTP API. Those with parameters are functions; the server's routes use the `:name` patterns. */
export const paths = {
  about: '/api',
  register: '/api/register',
  login: '/api/login',
  refresh: '/api/token/refresh',
  logoutAccess: '/api/logout/access',
  logoutRefresh: '/api/logout/refresh',
  me: '/api/me',
  sessions: '/api/sessions',
  session: '/api/sessions/:id',
  keys: '/api/keys',
  key: '/api/keys/:id',
  password: '/api/password',
  users: '/api/users',
  user: '/api/users/:name',
  images: '/api/images',
  image: '/api/images/:id',
  imageByDigest: '/api/images/by-digest/:sha256',
  picture: '/i/:owner/:file',
  health: '/healthz',
  ready: '/readyz',
  metrics: '/metrics',
  openapi: '/openapi.json',
} as const;

/**
 * The public path of a picture.
 *
 * @param owner the uploader's user id, not the name
 * @param id the picture's id
 * @param extension the stored extension without its dot
 */
export function picturePath(owner: string, id: string, extension: string): string {
  return `/i/${owner}/${id}.${extension}`;
}
