import type { TransportRequest } from './transport.ts';

export const BLOT = '[hidden]';

/** The members of a body that nobody but the server may see. */
export const SECRET_MEMBERS = new Set(['password', 'current', 'new', 'access_token', 'refresh_token', 'key']);

/** So many characters of a token in a row are no chance, where it is repeated in part. A part of a password may be a word. */
const PART_OF_TOKEN = 8;

/**
 * Blots out what a request sent in secret where a text repeats it, of tokens a part too: a server or something in between
 * may put it into a header, or into the sentence that a person is shown.
 */
export function hideSent(request: TransportRequest): (text: string) => string {
  const secrets = secretsOf(request);
  return (text) => {
    for (const { secret, part } of secrets) text = withoutParts(secret, part, text);
    return text;
  };
}

function secretsOf({ headers, body }: TransportRequest): { secret: string; part: number }[] {
  const tokens = [headers['authorization']?.replace(/^Bearer /, '') ?? ''];
  const passwords: string[] = [];
  if (typeof body === 'string') {
    JSON.parse(body, (name, value: unknown) => {
      if (SECRET_MEMBERS.has(name) && typeof value === 'string')
        (name.endsWith('token') ? tokens : passwords).push(value);
    });
  }
  return [
    ...tokens.map((secret) => ({ secret, part: Math.min(PART_OF_TOKEN, secret.length) })),
    ...passwords.map((secret) => ({ secret, part: secret.length })),
  ].filter(({ secret }) => secret !== '');
}

/** Without whatever has so many characters in a row of the secret. */
function withoutParts(secret: string, part: number, text: string): string {
  let hidden = '';
  for (let at = 0; at < text.length;) {
    let end = at;
    while (end + part <= text.length && secret.includes(text.slice(end, end + part))) end += 1;
    hidden += end > at ? BLOT : (text[at] ?? '');
    at = end > at ? end + part - 1 : at + 1;
  }
  return hidden;
}
