import fc from 'fast-check';
import { uniquePng } from './pictures.js';

/**
 * @typedef {{ method: string, path: string, headers: Record<string, string>, body: string | Uint8Array | FormData | null }} Generated
 */

const PATHS = [
  '/api',
  '/api/register',
  '/api/login',
  '/api/token/refresh',
  '/api/logout/access',
  '/api/logout/refresh',
  '/api/me',
  '/api/sessions',
  '/api/password',
  '/api/users',
  '/api/images',
  '/healthz',
  '/readyz',
  '/metrics',
  '/openapi.json',
];

/** What breaks programs: paths that climb, names of prototypes, ends of strings, and text of every kind. */
const nasty = fc.constantFrom(
  '..',
  '../../etc/passwd',
  '..%2f..%2fsecret',
  '%2e%2e/%2e%2e/secret',
  '..\\..\\secret',
  '/etc/passwd',
  'C:\\x',
  '__proto__',
  'constructor',
  'db.json',
  '\0',
  '%00',
  'a\r\nX: y',
  '\u202Egnp.exe',
  'é'.normalize('NFD'),
  '😀'.repeat(80),
  '\uD800',
  'con',
  '.',
  '',
  ' ',
  'x'.repeat(5000),
  '${jndi:ldap://x}',
  "' or 1=1 --",
  '<script>alert(1)</script>',
);
const word = fc.oneof(nasty, fc.string({ unit: 'binary', maxLength: 40 }), fc.string({ maxLength: 40 }));

/** Header values as HTTP clients let them through: one line of Latin-1. */
const headerValue = word.map((text) =>
  text
    .split('')
    .filter((c) => /^[\x20-\x7e\xa1-\xff]$/.test(c))
    .join('')
    .trim(),
);

const pathSegment = word.map((text) => encodeURIComponent(text.replaceAll(/\p{Cs}/gu, '')));
const path = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom(...PATHS) },
  {
    weight: 2,
    arbitrary: fc
      .tuple(
        fc.constantFrom('/api/sessions/', '/api/users/', '/api/images/', '/api/images/by-digest/', '/i/', '/'),
        pathSegment,
      )
      .map((parts) => parts.join('')),
  },
  { weight: 2, arbitrary: fc.tuple(pathSegment, pathSegment).map(([owner, file]) => `/i/${owner}/${file}.png`) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.constantFrom(...PATHS), fc.webQueryParameters({ size: 'small' }))
      .map((parts) => parts.join('?')),
  },
);

/** Bodies of the shape that some route wants, with anything in the places. */
const shaped = fc.record(
  {
    username: fc.oneof(word, fc.stringMatching(/^[A-Za-z0-9_.-]{3,32}$/), fc.jsonValue()),
    password: fc.oneof(word, fc.string({ minLength: 8, maxLength: 80, unit: 'grapheme' }), fc.jsonValue()),
    device: fc.oneof(word, fc.jsonValue()),
    refresh_token: fc.oneof(word, fc.stringMatching(/^[A-Za-z0-9_-]{71}$/), fc.jsonValue()),
    current: word,
    new: word,
    ['__proto__']: fc.jsonValue(),
  },
  { requiredKeys: [] },
);
const json = fc.oneof(
  { weight: 4, arbitrary: shaped.map((value) => JSON.stringify(value)) },
  { weight: 2, arbitrary: fc.json() },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      '',
      '{',
      '[]',
      'null',
      '{"a":1}}',
      '"x"',
      '['.repeat(5000),
      '\uFEFF{}',
      '1e999',
      '{"username":1e999}',
    ),
  },
);

const picture = fc.integer({ min: 200, max: 3000 }).map((bytes) => uniquePng(bytes));
const bytes = fc.oneof(
  picture,
  fc.tuple(picture, fc.nat(200)).map(([whole, cut]) => whole.subarray(0, cut)),
  fc.uint8Array({ maxLength: 2000 }).map((array) => Buffer.from(array)),
);

const form = fc
  .array(
    fc.tuple(
      fc.oneof({ weight: 3, arbitrary: fc.constant('file') }, { weight: 1, arbitrary: word }),
      bytes,
      word,
      fc.boolean(),
    ),
    { maxLength: 4 },
  )
  .map((parts) => {
    const body = new FormData();
    for (const [name, content, fileName, isFile] of parts) {
      if (isFile) body.append(name, new Blob([content]), fileName);
      else body.append(name, content.toString('latin1'));
    }
    return body;
  });

/** Multipart that no library would write. */
const brokenForm = fc
  .tuple(
    fc.constantFrom('--b', '--b--', '-b', '', '--c'),
    fc.constantFrom(
      'Content-Disposition: form-data; name="file"; filename="x.png"',
      "Content-Disposition: form-data; name=file; filename*=UTF-8''%e2%82",
      'Content-Disposition: form-data; name="file"; filename="../../x"',
      'Content-Disposition: attachment',
      'Content-Disposition: form-data; name="file',
      `X: ${'x'.repeat(20_000)}`,
      'rubbish',
      '',
    ),
    bytes,
    fc.constantFrom('\r\n--b--\r\n', '\r\n--b\r\n', '', '\r\n--b--', '\n--b--\n'),
  )
  .map(([start, header, content, end]) =>
    Buffer.concat([Buffer.from(`${start}\r\n${header}\r\n\r\n`), content, Buffer.from(end)]),
  );

const type = fc.oneof(
  fc.constantFrom(
    'application/json',
    'image/png',
    'image/jpeg',
    'text/plain',
    'multipart/form-data; boundary=b',
    'multipart/form-data',
    'multipart/form-data; boundary=""',
    'application/json; charset=utf-16',
    '*/*',
    '',
  ),
  headerValue,
);

/** What stands for a valid access token of a user, by its number. */
export const TOKENS = ['ACCESS-TOKEN-0', 'ACCESS-TOKEN-1'];

/** @returns {fc.Arbitrary<Generated>} */
export function generatedRequest() {
  const authorization = fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom(...TOKENS.map((token) => `Bearer ${token}`)) },
    {
      weight: 1,
      arbitrary: fc.constantFrom('Bearer', 'Bearer ', 'Basic YTpi', 'bearer x.y.z', `Bearer ${'x'.repeat(5000)}`),
    },
    { weight: 1, arbitrary: headerValue },
  );
  const headers = fc.record(
    {
      Authorization: authorization,
      'Content-Type': type,
      'Content-Disposition': fc.oneof(
        headerValue,
        headerValue.map((name) => `attachment; filename="${name}"`),
        headerValue.map((name) => `attachment; filename*=UTF-8''${name}`),
      ),
      'Content-Encoding': fc.oneof(fc.constantFrom('gzip', 'identity', 'br'), headerValue),
      'Repr-Digest': fc.oneof(
        fc.constantFrom('sha-256=:x:', 'sha-256=', 'md5=:x:', `sha-256=:${'A'.repeat(43)}=:`),
        headerValue,
      ),
      'If-None-Match': headerValue,
      'If-Match': headerValue,
      Range: fc.oneof(
        fc.constantFrom('bytes=0-', 'bytes=5-1', 'bytes=-1', 'bytes=0-1,2-3', `bytes=${'9'.repeat(30)}-`),
        headerValue,
      ),
      'X-Forwarded-For': fc.oneof(fc.constantFrom('1.2.3.4', '::1, x', ','), headerValue),
      'X-Forwarded-Host': headerValue,
      'X-Forwarded-Proto': fc.oneof(fc.constantFrom('https', 'javascript'), headerValue),
      Accept: headerValue,
      Origin: headerValue,
      Cookie: headerValue,
    },
    { requiredKeys: [] },
  );
  const anything = fc.record({
    method: fc.oneof(
      { weight: 8, arbitrary: fc.constantFrom('GET', 'POST', 'DELETE', 'HEAD', 'PUT', 'PATCH', 'OPTIONS') },
      { weight: 1, arbitrary: fc.constantFrom('PROPFIND', 'FOO', 'get') },
    ),
    path,
    headers,
    body: fc.oneof(json, bytes, brokenForm, form, fc.constant(null)),
  });
  const upload = fc.record({
    method: fc.constant('POST'),
    path: fc.constant('/api/images'),
    headers: fc
      .tuple(headers, fc.constantFrom(...TOKENS))
      .map(([rest, token]) => ({ ...rest, Authorization: `Bearer ${token}` })),
    body: fc.oneof(bytes, form, brokenForm),
  });
  const uploadOfPlainForm = upload.map((request) => {
    const {
      'Content-Type': _type,
      'Content-Encoding': _encoding,
      'Repr-Digest': _digest,
      ...rest
    } = /** @type {Record<string, string>} */ (request.headers);
    return {
      ...request,
      headers: request.body instanceof FormData ? rest : { ...rest, 'Content-Type': 'multipart/form-data; boundary=b' },
    };
  });
  const call = fc.record({
    method: fc.constant('POST'),
    path: fc.constantFrom('/api/register', '/api/login', '/api/token/refresh', '/api/logout/refresh', '/api/password'),
    headers: fc
      .tuple(headers, fc.constantFrom(...TOKENS))
      .map(([rest, token]) => ({ ...rest, 'Content-Type': 'application/json', Authorization: `Bearer ${token}` })),
    body: json,
  });
  return fc.oneof(anything, upload, uploadOfPlainForm, call);
}

/** Bytes that are nearly HTTP. */
export const generatedBytes = fc
  .tuple(
    fc.constantFrom('GET', 'POST', 'CONNECT', 'get', 'G ET', '', 'GET\t', 'POST'.repeat(3000), 'PRI'),
    fc.constantFrom(
      '/',
      '/api/images',
      '*',
      'http://x/api',
      'http://[/',
      '//',
      '/%',
      '/\u00ff',
      '',
      `/${'a'.repeat(20_000)}`,
      '/api/login',
      '/i/../../secret',
      '?',
      '#',
    ),
    fc.constantFrom('HTTP/1.1', 'HTTP/1.0', 'HTTP/2.0', 'HTTP/9', 'http/1.1', '', 'HTTP/1.1 x'),
    fc.array(
      fc.constantFrom(
        'Host: imgup.test',
        'Host: imgup.test',
        'Host: imgup.test',
        'Host: a b',
        'Host:',
        'Host: [::1',
        'Host: x:99999',
        'Content-Length: 5',
        'Content-Length: -1',
        'Content-Length: 5, 5',
        'Content-Length: 99999999999999999999',
        'Content-Length: 0x5',
        'Transfer-Encoding: chunked',
        'Transfer-Encoding: chunked, identity',
        'Transfer-Encoding: xchunked',
        'Expect: 100-continue',
        'Expect: nonsense',
        'Connection: upgrade',
        'Upgrade: websocket',
        'Upgrade: h2c',
        'HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA',
        'X : y',
        ' folded: x',
        'no colon',
        'X: \0',
        `X: ${'x'.repeat(30_000)}`,
        'Content-Type: application/json',
        'Content-Type: multipart/form-data; boundary=b',
      ),
      { maxLength: 6 },
    ),
    fc.constantFrom(
      '',
      'hello',
      '5\r\nhello\r\n0\r\n\r\n',
      'zz\r\n',
      '{"a"',
      '-1\r\n\r\n',
      `${'f'.repeat(40)}\r\n`,
      '0\r\nX: y\r\n\r\n',
      'GET / HTTP/1.1\r\n\r\n',
    ),
    fc.constantFrom('\r\n', '\r\n', '\r\n', '\n', '\r'),
  )
  .map(([method, target, version, headers, body, end]) =>
    Buffer.from([`${method} ${target} ${version}`, ...headers, 'Connection: close', '', body].join(end), 'latin1'),
  )
  .chain((whole) =>
    fc.oneof(
      { weight: 4, arbitrary: fc.constant(whole) },
      { weight: 1, arbitrary: fc.uint8Array({ maxLength: 100 }).map((array) => Buffer.from(array)) },
    ),
  );
