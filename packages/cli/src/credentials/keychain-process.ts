import { spawn, type ChildProcess } from 'node:child_process';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export interface KeychainRequest {
  op: 'get' | 'set' | 'delete' | 'find' | 'probe';
  service: string;
  account?: string;
  password?: string;
}

export type KeychainAnswer =
  | { kind: 'value'; value: unknown }
  /** The keychain's own words. */
  | { kind: 'error'; text: string }
  /** The child was killed; `opened` says whether the keychain had answered at all before. */
  | { kind: 'timeout'; opened: boolean; afterMs: number };

export interface KeychainProcess {
  request(request: KeychainRequest): Promise<KeychainAnswer>;
  warmUp(): void;
  /** The child's process id while there is a child. */
  readonly pid: number | undefined;
  close(): void;
}

interface Running {
  child: ChildProcess;
  /** Resolves to how long its start took, in milliseconds. */
  ready: Promise<number>;
  isReady: () => void;
  waiting: Map<number, Waiting>;
}

interface Waiting {
  settle(answer: KeychainAnswer): void;
  opened: boolean;
}

/** Far above what a child takes to start: a tenth of a second, or a hundred times that amid a crowd of them. */
const START_TIMEOUT_MS = 60_000;

/**
 * Where the start took long, the machine is busy, and the keychain is given so many times that: amid a crowd of 50
 * processes it was seen to answer within a fifth of it.
 */
const BUSY = 2;

// Flat next to each other in the sources and in the bundle alike.
const CHILD = join(import.meta.dirname, 'keychain-child.cjs');

/**
 * One child process that serves all keychain requests of this process, started on first need. An idle child does not
 * keep this process alive, and ends with it.
 *
 * @param options.timeoutMs how long a request may take once the child has started; longer on a machine that is busy
 */
export function createKeychainProcess(options: { timeoutMs: number; env: NodeJS.ProcessEnv }): KeychainProcess {
  let running: Running | undefined;
  let lastId = 0;

  const start = (): Running => {
    if (running) return running;
    // NODE_OPTIONS are meant for the program that a person debugs; `--inspect` here would only take its port away.
    // Of fewer than two threads, the one that waits for the next request would leave none for the library.
    const { NODE_OPTIONS: _, UV_THREADPOOL_SIZE: __, ...env } = options.env;
    const child = spawn(process.execPath, [CHILD], { env, stdio: ['pipe', 'pipe', 'ignore'], windowsHide: true });
    const startedAt = performance.now();
    let isReady = () => {};
    const ready = new Promise<number>((resolve) => {
      isReady = () => resolve(performance.now() - startedAt);
    });
    const started: Running = { child, ready, isReady, waiting: new Map() };
    running = started;

    const fail = (text: string): void => {
      if (running === started) running = undefined;
      for (const waiting of started.waiting.values()) waiting.settle({ kind: 'error', text });
    };
    // Where it waits for the keychain it does not notice that nobody waits for it any more.
    const end = () => void child.kill('SIGKILL');
    process.once('exit', end);
    child.once('close', () => process.off('exit', end));
    child.on('error', (error) => fail(`its process could not be started: ${error.message}`));
    child.on('close', (code, signal) => fail(`its process ended (${signal ?? `exit code ${code}`})`));
    child.stdin?.on('error', () => {}); // a child that is gone is reported by 'close'
    if (child.stdout) createInterface({ input: child.stdout }).on('line', (line) => receive(started, line));
    keepAlive(child, false);
    return started;
  };

  return {
    async request(request) {
      const { child, ready, waiting } = start();
      const id = ++lastId;
      keepAlive(child, true);
      const answer = await new Promise<KeychainAnswer>((resolve) => {
        const own: Waiting = {
          opened: false,
          settle(result) {
            clearTimeout(limit);
            waiting.delete(id);
            resolve(result);
          },
        };
        const giveUpAfter = (afterMs: number) =>
          setTimeout(() => {
            running = undefined;
            child.kill('SIGKILL');
            // The others were queued behind this one.
            for (const one of waiting.values()) one.settle({ kind: 'timeout', opened: own.opened, afterMs });
          }, afterMs);
        let limit = giveUpAfter(START_TIMEOUT_MS);
        void ready.then((startMs) => {
          clearTimeout(limit);
          if (waiting.has(id)) limit = giveUpAfter(Math.max(options.timeoutMs, BUSY * startMs));
        });
        waiting.set(id, own);
        child.stdin?.write(`${JSON.stringify({ id, ...request })}\n`);
      });
      if (waiting.size === 0) keepAlive(child, false);
      return answer;
    },

    warmUp() {
      start();
    },

    get pid() {
      return running?.child.pid;
    },

    close() {
      running?.child.kill('SIGKILL');
      running = undefined;
    },
  };
}

function receive({ waiting, isReady }: Running, line: string): void {
  const message = JSON.parse(line) as { ready?: true; id: number; opened?: boolean; error?: string; value?: unknown };
  if (message.ready) return isReady();
  const own = waiting.get(message.id);
  if (!own) return;
  if (message.opened !== undefined) own.opened = message.opened;
  else if (message.error !== undefined) own.settle({ kind: 'error', text: message.error });
  else own.settle({ kind: 'value', value: message.value });
}

function keepAlive(child: ChildProcess, wanted: boolean): void {
  const handles: (ChildProcess | Socket)[] = [child];
  // The streams of a child are typed as plain streams, but are sockets, and only those can be unreferenced.
  for (const stream of [child.stdin, child.stdout]) if (stream instanceof Socket) handles.push(stream);
  for (const handle of handles) {
    if (wanted) handle.ref();
    else handle.unref();
  }
}
