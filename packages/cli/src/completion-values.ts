import { SMALL_WIDTHS } from '@imgup/shared';
import { GRAPHICS } from './pictures/graphics.ts';
import { SETTINGS } from './setting-names.ts';
import type { SettingsData } from './settings.ts';
import { FORMAT_NAMES } from './upload/format.ts';

/** Finds what the value of an option, or an argument, may be. */
export interface CompletionValues {
  /** @param name without its dashes */
  ofOption(name: string): string[];
  /** @param name as the help has it; @param before the arguments that stand before it */
  ofArgument(name: string, before: string[]): string[];
}

/** Those that are known without asking a server. The values of `serve` are the server's, which is not loaded for this. */
export function completionValues({ accounts }: SettingsData): CompletionValues {
  const servers = Object.keys(accounts);
  const users = [...new Set(Object.values(accounts))];
  const options: Record<string, string[]> = {
    account: users,
    as: [...GRAPHICS],
    expires: ['1h', '1d', '7d', '30d', 'never'],
    format: FORMAT_NAMES,
    'log-level': ['debug', 'info', 'warn', 'error', 'silent'],
    registration: ['open', 'closed'],
    server: servers,
    verify: ['full', 'header'],
    width: SMALL_WIDTHS.map(String),
  };
  const args: Record<string, string[]> = {
    'account-or-server': [...users, ...servers],
    picture: ['last'],
    setting: SETTINGS.map(({ name }) => name),
  };
  return {
    ofOption: (name) => options[name] ?? [],
    ofArgument(name, before) {
      if (name !== 'value') return args[name] ?? [];
      const setting = SETTINGS.find((each) => each.name === before.at(-1));
      return setting?.values ?? options[setting?.name ?? ''] ?? [];
    },
  };
}
