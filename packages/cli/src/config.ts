import { homedir, hostname } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { DEVICE_MAX } from '@imgup/shared/constants';
import type { ProxySettings } from './api/proxy.ts';
import { usageError } from './errors.ts';
import { printable } from './printable.ts';

/** What the surroundings say: the environment and the system. What a person has chosen for good is in `settings.ts`. */
export interface Config {
  /** `IMGUP_SERVER`. */
  server: string | undefined;
  /** `IMGUP_TOKEN`: an access token that overrides the stored ones. */
  token: string | undefined;
  /** `IMGUP_CREDENTIAL_STORE`. */
  credentialStore: 'keychain' | 'file' | undefined;
  /** False where `NO_COLOR` is set (no-color.org). */
  color: boolean;
  proxy: ProxySettings;
  /** The name of this machine, which a log-in is listed under. */
  device: string;
  /**
   * Holds config.json, the credentials where there is no keychain, and the locks. Looked for when it is asked for: `imgup
   * serve` runs as users that have no home. Errors: `CliError` (usage) where there is none.
   */
  readonly folder: string;
  /** The environment as it is, for `imgup serve`, whose options are validated by the server. */
  env: NodeJS.ProcessEnv;
}

/** The only reader of `process.env` in this package. Errors: `CliError` (usage), naming the variable. */
export function readConfig(env: NodeJS.ProcessEnv = process.env, platform = process.platform): Config {
  return {
    server: env['IMGUP_SERVER'] || undefined,
    token: env['IMGUP_TOKEN'] || undefined,
    credentialStore: credentialStore(env['IMGUP_CREDENTIAL_STORE']),
    color: !env['NO_COLOR'],
    proxy: {
      http: env['http_proxy'] || env['HTTP_PROXY'],
      https: env['https_proxy'] || env['HTTPS_PROXY'],
      all: env['all_proxy'] || env['ALL_PROXY'],
      no: env['no_proxy'] || env['NO_PROXY'],
    },
    device: printable(hostname()).slice(0, DEVICE_MAX),
    get folder() {
      return configFolder(env, platform);
    },
    env,
  };
}

/** Whether a terminal can draw a line anew, as the terminal inside of some editors cannot. */
export function drawsLines(env: NodeJS.ProcessEnv = process.env): boolean {
  return env['TERM'] !== 'dumb';
}

function credentialStore(choice: string | undefined): Config['credentialStore'] {
  if (choice === undefined || choice === '') return undefined;
  if (choice === 'keychain' || choice === 'file') return choice;
  throw usageError(`IMGUP_CREDENTIAL_STORE is "${choice}"; it must be "keychain" or "file".`);
}

/** XDG on Linux, each system's habit elsewhere; `XDG_CONFIG_HOME` counts everywhere, for those who set it on purpose. */
function configFolder(env: NodeJS.ProcessEnv, platform: NodeJS.Platform): string {
  const chosen = env['XDG_CONFIG_HOME'];
  // The XDG specification has relative paths ignored.
  if (chosen !== undefined && isAbsolute(chosen)) return join(chosen, 'imgup');
  const home = homeFolder();
  if (platform === 'win32') return join(env['APPDATA'] || join(home, 'AppData', 'Roaming'), 'imgup');
  if (platform === 'darwin') return join(home, 'Library', 'Application Support', 'imgup', 'config');
  return join(home, '.config', 'imgup');
}

/** Node throws where neither the environment nor the system knows a user's home, and gives what HOME says even if that is nothing. */
function homeFolder(): string {
  try {
    const home = homedir();
    if (home !== '') return home;
  } catch {
    // As where it is empty.
  }
  throw usageError('This user has no home folder to keep settings in; set HOME, or name a folder in XDG_CONFIG_HOME.');
}
