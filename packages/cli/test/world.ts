import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { clearLine, cursorTo, moveCursor, type Direction } from 'node:readline';
import { PassThrough, Readable } from 'node:stream';
import { createApp, type AppOptions } from '@imgup/server';
import sharp from 'sharp';
import { onTestFinished } from 'vitest';
import type { SessionRecord } from '../src/api/session-record.ts';
import { readText, TransportError } from '../src/api/transport.ts';
import type { Transport, TransportRequest, TransportResponse } from '../src/api/transport.ts';
import { createContext, type Context } from '../src/context.ts';
import { SERVICE, type CredentialStore } from '../src/credentials/credential-store.ts';
import { createMemoryStore } from '../src/credentials/memory.ts';
import { createIo } from '../src/io.ts';
import type { Prompt } from '../src/prompt.ts';
import { run } from '../src/run.ts';
import { createFetchTransport } from './fetch-transport.ts';

export const PASSWORD = 'a long enough secret';
export const SERVER = 'http://127.0.0.1:4747';

export interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

export interface RunOptions {
  stdin?: string;
  env?: NodeJS.ProcessEnv;
  /** Whether the three streams are a terminal. */
  terminal?: boolean;
  /** What the person answers, in order, to whatever is asked. */
  answers?: string[];
  context?: Partial<Context>;
  /** Told what is written to stderr, as soon as it is. */
  onNote?: (text: string) => void;
}

export type World = Awaited<ReturnType<typeof openWorld>>;

/** A real app, a person's machine (an empty configuration folder, a credential store, a clock), and their command line. */
export async function openWorld(options: Partial<AppOptions> & { credentials?: CredentialStore } = {}) {
  const { credentials = createMemoryStore(), ...appOptions } = options;
  const folder = await temporaryFolder();
  const clock = { server: Date.parse('2026-01-01T12:00:00Z'), local: Date.parse('2026-01-01T12:00:00Z') };
  const app = await createApp({
    passwordCost: 4,
    now: () => clock.server,
    ...appOptions,
    data: join(folder, 'data'),
  });
  onTestFinished(() => app.close());

  const toApp = createFetchTransport(
    (request) => app.fetch(request),
    () => clock.server,
  );
  const requests: TransportRequest[] = [];
  /** What happens to a request on its way; a test puts faults here. */
  const network: { way: (request: TransportRequest, next: Transport) => ReturnType<Transport> } = {
    way: (request, next) => next(request),
  };
  const transport: Transport = (request) => {
    requests.push(request);
    return network.way(request, toApp);
  };

  async function imgup(args: string[], options: RunOptions = {}): Promise<Outcome> {
    const terminal = options.terminal ?? false;
    const stdout = collector(terminal);
    const stderr = collector(terminal);
    stderr.stream.on('data', (chunk: Buffer) => options.onNote?.(chunk.toString('utf8')));
    const stdin = Object.assign(Readable.from(options.stdin === undefined ? [] : [options.stdin]), { isTTY: terminal });
    const context = createContext({
      env: { XDG_CONFIG_HOME: join(folder, 'config'), ...options.env },
      io: createIo({ stdin, stdout: stdout.stream, stderr: stderr.stream }),
      transport: async () => transport,
      credentials: async () => credentials,
      prompt: async () => promptThatAnswers(options.answers ?? []),
      now: () => clock.local,
      // Time passes at once, for both sides.
      wait: async (ms, signal) => {
        if (signal.aborted) throw signal.reason;
        clock.local += ms;
        clock.server += ms;
      },
      interrupted: () => new AbortController().signal,
      ...options.context,
    });
    const code = await run(args, context);
    return { code, stdout: stdout.text(), stderr: stderr.text() };
  }

  const registerArgs = (name: string) => ['register', '--username', name, '--password-stdin'];
  return {
    app,
    folder,
    clock,
    credentials,
    requests,
    network,
    imgup,
    /** The paths asked for since the last call of this. */
    asked: () => requests.splice(0).map(({ method, url }) => `${method} ${url.pathname}`),
    async register(name = 'ada', args: string[] = []): Promise<void> {
      const { code, stderr } = await imgup([...registerArgs(name), ...args], { stdin: `${PASSWORD}\n` });
      if (code !== 0) throw new Error(stderr);
      requests.length = 0;
    },
    async record(name = 'ada', origin = SERVER): Promise<SessionRecord | null> {
      const text = await credentials.getPassword(SERVICE, `${origin}|${name}`);
      return text === null ? null : (JSON.parse(text) as SessionRecord);
    },
    async picture(name = 'photo.png', seed = 0): Promise<string> {
      return writePicture(join(folder, name), seed);
    },
  };
}

/** A way on which the body of each answer is changed. */
export function rewriting(change: (text: string) => string) {
  return async (request: TransportRequest, next: Transport): Promise<TransportResponse> => {
    const answer = await next(request);
    return { ...answer, body: bodyOf(change(await readText(answer, request))) };
  };
}

/** The body of an answer. */
export async function* bodyOf(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}

/** A network fault, as a transport reports it. */
export function connectionCut({ url }: TransportRequest): TransportError {
  return new TransportError('cut', url.origin, 'the connection was cut');
}

export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'imgup-test-'));
  // More than once, for a program that was told to end may write until it has.
  onTestFinished(() => rm(folder, { recursive: true, force: true, maxRetries: 10 }));
  return folder;
}

/** Pictures with different seeds have different bytes. */
export async function writePicture(path: string, seed = 0): Promise<string> {
  const background = { r: seed % 256, g: 40 + Math.floor(seed / 256), b: 90 };
  await writeFile(
    path,
    await sharp({ create: { width: 8, height: 6, channels: 3, background } })
      .png()
      .toBuffer(),
  );
  return path;
}

/** A stream, as a terminal if wanted, and what has been written to it. */
export function collector(terminal: boolean) {
  const stream = Object.assign(new PassThrough(), {
    isTTY: terminal,
    columns: 80,
    rows: 24,
    cursorTo: (x: number): boolean => cursorTo(stream, x),
    moveCursor: (x: number, y: number): boolean => moveCursor(stream, x, y),
    clearLine: (direction: Direction): boolean => clearLine(stream, direction),
  });
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  return { stream, text: () => Buffer.concat(chunks).toString('utf8') };
}

function promptThatAnswers(answers: string[]): Prompt {
  const answer = async (check: (answer: string) => string | undefined) => {
    for (let next = answers.shift(); next !== undefined; next = answers.shift()) {
      if (check(next) === undefined) return next;
    }
    throw new Error('nothing more was expected to be asked');
  };
  return {
    username: answer,
    password: (_message, check) => answer(check),
    confirm: async () => (await answer(() => undefined)) === 'yes',
  };
}
