import { stripVTControlCharacters } from 'node:util';

/**
 * A text from elsewhere (a server, a file's name) as it may reach a terminal: on one line, without escape sequences,
 * control characters, and the marks that reverse the direction of what follows.
 */
export function printable(text: string): string {
  return stripVTControlCharacters(text)
    .replace(/[\t\r\n\u2028\u2029]+/g, ' ')
    .replace(UNPRINTABLE, '');
}

/** A JSON document on one line, in which such characters are escaped rather than left out. */
export function printableJson(value: unknown): string {
  return JSON.stringify(value).replace(
    UNPRINTABLE,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

// oxlint-disable-next-line no-control-regex -- these are what it is for
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
