import type { TransportRequest } from './transport.ts';

export const BLOT = '[hidden]';

/** The members of a body that nobody but the server may see. */
export const SECRET_MEMBERS = new Set(['password', 'current', 'new', 'access_token', 'refresh_token']);

/** As many characters of a secret in a row are no chance. Half a token in a log line is cut like this, or longer. */
const RECOGNIZED = 8;

/**
 * Blots out what a request sent in secret where a text repeats it, wholly or in part: a server or something in between
 * may put it into a header, or into the sentence that a person is shown.
 */
export function hideSent(request: TransportRequest): (text: string) => string {
  const secrets = secretsOf(request);
  return (text) => {
    for (const secret of secrets) text = withoutPartsOf(secret, text);
    return text;
  };
}

function secretsOf({ headers, body }: TransportRequest): string[] {
  const secrets = [headers['authorization']?.replace(/^Bearer /, '') ?? ''];
  if (typeof body === 'string') {
    JSON.parse(body, (name, value: unknown) => {
      if (SECRET_MEMBERS.has(name) && typeof value === 'string') secrets.push(value);
    });
  }
  return secrets.filter((secret) => secret !== '');
}

function withoutPartsOf(secret: string, text: string): string {
  const length = Math.min(RECOGNIZED, secret.length);
  let hidden = '';
  for (let at = 0; at < text.length;) {
    let end = at;
    while (end + length <= text.length && secret.includes(text.slice(end, end + length))) end += 1;
    if (end > at) {
      hidden += BLOT;
      at = end + length - 1;
    } else {
      hidden += text[at];
      at += 1;
    }
  }
  return hidden;
}
