import { parseOrigin } from './api/server-origin.ts';
import { usageError } from './errors.ts';
import type { SettingsData } from './settings.ts';
import { parseExpiry } from './upload/expiry.ts';
import { parseFormat } from './upload/format.ts';

/** One of the settings that `imgup config` reads and writes. */
export interface Setting {
  name: string;
  /** What it does, in a few words. */
  purpose: string;
  /** All that it can be, where that is little. */
  values?: string[];
  /** As it is written on the command line; undefined: not set. */
  get(data: SettingsData): string | undefined;
  /** The settings with this one changed; undefined takes it out. Errors: `CliError` (usage) for what it cannot be. */
  set(data: SettingsData, text: string | undefined): SettingsData;
}

export const SETTINGS: Setting[] = [
  {
    name: 'server',
    purpose: 'the server that is used when nothing else is said',
    get: ({ server }) => server,
    set: (data, text) => ({ ...data, server: text === undefined ? undefined : parseOrigin(text, 'server') }),
  },
  {
    name: 'credential-store',
    purpose: 'where tokens are kept: keychain or file',
    values: ['keychain', 'file'],
    get: ({ credential_store }) => credential_store,
    set: (data, text) => ({ ...data, credential_store: oneOf(['keychain', 'file'], 'credential-store', text) }),
  },
  {
    name: 'format',
    purpose: 'what uploads print, as --format',
    get: ({ format }) => format,
    set(data, text) {
      parseFormat(text, 'format');
      return { ...data, format: text };
    },
  },
  {
    name: 'expires',
    purpose: 'how long links live, as --expires',
    get: ({ expires }) => expires,
    set(data, text) {
      parseExpiry(text, 'expires');
      return { ...data, expires: text };
    },
  },
  {
    name: 'copy',
    purpose: 'whether links go to the clipboard too, as --copy: true or false',
    values: ['true', 'false'],
    get: ({ copy }) => (copy === undefined ? undefined : `${copy}`),
    set(data, text) {
      const choice = oneOf(['true', 'false'], 'copy', text);
      return { ...data, copy: choice === undefined ? undefined : choice === 'true' };
    },
  },
];

/** Errors: `CliError` (usage) where there is none of this name. */
export function findSetting(name: string): Setting {
  const found = SETTINGS.find((setting) => setting.name === name);
  if (found !== undefined) return found;
  throw usageError(`There is no setting "${name}"; there are ${SETTINGS.map((setting) => setting.name).join(', ')}.`);
}

function oneOf<Choice extends string>(choices: Choice[], name: string, text: string | undefined): Choice | undefined {
  const found = choices.find((choice) => choice === text);
  if (text === undefined || found !== undefined) return found;
  throw usageError(`${name} is "${text}"; it must be ${choices.map((choice) => `"${choice}"`).join(' or ')}.`);
}
