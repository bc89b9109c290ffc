import { basename } from 'node:path';
import type { ImageResponse } from '@imgup/shared';
import { usageError } from '../errors.ts';

/** Writes the line that is printed for a picture. */
export type Format = (image: ImageResponse, label: string) => string;

const FORMATS = {
  url: ({ url }) => url,
  markdown: (image, label) => `![${nameOf(image, label).replace(/[\\[\]]/g, String.raw`\$&`)}](${image.url})`,
  html: (image, label) =>
    `<img src="${html(image.url)}" alt="${html(nameOf(image, label))}" width="${image.width}" height="${image.height}">`,
  bbcode: ({ url }) => `[img]${url}[/img]`,
} satisfies Record<string, Format>;

/** What a template may hold. */
const PLACEHOLDERS = {
  url: ({ url }) => url,
  name: nameOf,
  file: (_image, label) => label,
  id: ({ id }) => id,
  type: ({ type }) => type,
  bytes: ({ bytes }) => `${bytes}`,
  width: ({ width }) => `${width}`,
  height: ({ height }) => `${height}`,
  sha256: ({ sha256 }) => sha256,
  expires: ({ expires_at }) => expires_at ?? '',
} satisfies Record<string, Format>;

/** The names that `--format` takes; `json` is a matter of the whole output. */
export const FORMAT_NAMES = [...Object.keys(FORMATS), 'json'];

/**
 * How the line of a picture is written. Errors: `CliError` (usage).
 *
 * @param text a name, or a template such as `{url} {name}`; undefined: the link. `json` has no lines of this kind
 * @param source what the person wrote it in
 */
export function parseFormat(text: string | undefined, source = '--format'): Format {
  if (text === undefined || text === 'json') return FORMATS.url;
  if (isKey(FORMATS, text)) return FORMATS[text];
  if (!text.includes('{')) {
    throw usageError(
      `${source} is "${text}"; give one of ${FORMAT_NAMES.join(', ')}, or a template such as '{url} {name}'.`,
    );
  }
  const wrong = [...text.matchAll(/\{([^{}]*)\}/g)]
    .map(([, name = '']) => name)
    .find((name) => !isKey(PLACEHOLDERS, name));
  if (wrong !== undefined) {
    const known = Object.keys(PLACEHOLDERS).map((name) => `{${name}}`);
    throw usageError(`${source} has no {${wrong}}; there are ${known.join(', ')}.`);
  }
  if (!/\{\w+\}/.test(text) || text.split('{').length > text.split('}').length) {
    throw usageError(`${source} is "${text}", with a brace that is not closed; write a template as '{url} {name}'.`);
  }
  return (image, label) =>
    text.replace(/\{(\w+)\}/g, (_match, name: string) =>
      isKey(PLACEHOLDERS, name) ? PLACEHOLDERS[name](image, label) : '',
    );
}

function nameOf({ name }: ImageResponse, label: string): string {
  return name ?? basename(label);
}

function isKey<T extends object>(object: T, key: string): key is string & keyof T {
  return Object.hasOwn(object, key);
}

function html(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
