import { setMaxListeners } from 'node:events';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { proxyFor } from './api/proxy.ts';
import type { Transport } from './api/transport.ts';
import { drawsLines, readConfig, type Config } from './config.ts';
import type { CredentialStore } from './credentials/credential-store.ts';
import { EXIT, CliError } from './errors.ts';
import { createIo, type Io } from './io.ts';
import { once } from './once.ts';
import type { Prompt } from './prompt.ts';
import { readRawArguments } from './raw-arguments.ts';
import type { Settings, SettingsData } from './settings.ts';

/** Everything that a command touches outside of itself. What is expensive is made when it is first asked for. */
export interface Context {
  readonly io: Io;
  /** Errors: `CliError` (usage) where a variable of the environment is wrong. */
  config(): Config;
  settings(): Promise<Settings>;
  /** Errors: `CredentialStoreError`. @param known the settings, where they have just been read */
  credentials(known?: SettingsData): Promise<CredentialStore>;
  /** The way to one server, through a proxy where the environment names one. */
  transport(origin: string): Promise<Transport>;
  /** @param color whether `--no-color` and `NO_COLOR` leave colours on */
  prompt(color: boolean): Promise<Prompt>;
  /** What was typed, in bytes. */
  rawArguments(): Promise<Buffer[]>;
  /** Milliseconds since 1970. */
  now(): number;
  /** Resolves after so many milliseconds. Throws the signal's reason when it aborts. */
  wait(ms: number, signal: AbortSignal): Promise<void>;
  /** Aborts on Ctrl-C, SIGTERM or SIGHUP, from the first call on. A second one ends the process at once. */
  interrupted(): AbortSignal;
  /** Resolves when the process is asked to end. The next such signal ends it at once. */
  stopRequested(): Promise<void>;
}

/** The real context; a test replaces the members that it wants to hold. */
export function createContext(replaced: Partial<Context> & { env?: NodeJS.ProcessEnv } = {}): Context {
  const io = replaced.io ?? createIo(process, drawsLines());
  const config = once(() => readConfig(replaced.env));
  const interrupted = once(() => {
    const controller = new AbortController();
    // Each file on its way listens in several places, which Node would warn of.
    setMaxListeners(0, controller.signal);
    const interrupt = (signal: EndSignal) => {
      controller.abort(new CliError('interrupted', EXIT.interrupted, END_SIGNALS[signal]));
      // Not before the others who listen have seen that somebody does: the spinner would end the process.
      setImmediate(() => ends.forEach((each) => process.off(each, interrupt)));
    };
    const ends = Object.keys(END_SIGNALS) as EndSignal[];
    for (const each of ends) process.on(each, interrupt);
    return controller.signal;
  });
  const settings = once(async () => {
    const { createSettings } = await import('./settings.ts');
    return createSettings(join(config().folder, 'config.json'));
  });

  const real: Context = {
    io,
    config,
    settings,
    credentials: once(async (known?: SettingsData) => {
      const { resolveCredentialStore } = await import('./credentials/resolve.ts');
      const { read, update } = await settings();
      const { credential_store: remembered } = known ?? (await read());
      return resolveCredentialStore({
        choice: config().credentialStore,
        remembered,
        directory: config().folder,
        env: config().env,
        // Where a person is there, the keychain may ask them to unlock it.
        timeoutMs: () => (io.interactive ? UNLOCK_TIMEOUT_MS : undefined),
        remember: (kind) => update((data) => ({ ...data, credential_store: kind })),
        warn: io.note,
      });
    }),
    async transport(origin) {
      const proxy = proxyFor(origin, config().proxy);
      if (proxy === null) {
        const { createNodeTransport } = await import('./api/node-transport.ts');
        return createNodeTransport();
      }
      const { createUndiciTransport } = await import('./api/undici-transport.ts');
      return createUndiciTransport(proxy);
    },
    async prompt(color) {
      const { createPrompt } = await import('./prompt.ts');
      return createPrompt({ stdin: io.stdin, stderr: io.stderr, color });
    },
    rawArguments: readRawArguments,
    now: Date.now,
    wait: async (ms, signal) => {
      await delay(ms, undefined, { signal }).catch(() => {
        throw signal.reason;
      });
    },
    interrupted,
    stopRequested: () =>
      new Promise((resolve) => {
        const stop = () => {
          for (const signal of STOP_SIGNALS) process.off(signal, stop);
          resolve();
        };
        for (const signal of STOP_SIGNALS) process.on(signal, stop);
      }),
  };
  return { ...real, ...replaced };
}

const UNLOCK_TIMEOUT_MS = 60_000;

/** What ends a command, and what it says then. */
const END_SIGNALS = {
  SIGINT: 'Interrupted.',
  SIGTERM: 'Asked to end (SIGTERM).',
  SIGHUP: 'The terminal is gone (SIGHUP).',
} as const;
type EndSignal = keyof typeof END_SIGNALS;

const STOP_SIGNALS = ['SIGTERM', 'SIGINT'] as const;
