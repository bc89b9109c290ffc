import { spawn, type ChildProcess } from 'node:child_process';
import { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

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
  | { kind: 'timeout'; opened: boolean };

export interface KeychainProcess {
  request(request: KeychainRequest): Promise<KeychainAnswer>;
  warmUp(): void;
  /** The child's process id while there is a child. */
  readonly pid: number | undefined;
  close(): void;
}

interface Running {
  child: ChildProcess;
  waiting: Map<number, Waiting>;
}

interface Waiting {
  settle(answer: KeychainAnswer): void;
  opened: boolean;
}

// Flat next to each other in the sources and in the bundle alike.
const CHILD = fileURLToPath(new URL('./keychain-child.js', import.meta.url));

/**
 * One child process that serves all keychain requests of this process, started on first need. An idle child does not
 * keep this process alive, and ends with it.
 */
export function createKeychainProcess(options: { timeoutMs: number; env: NodeJS.ProcessEnv }): KeychainProcess {
  let running: Running | undefined;
  let lastId = 0;

  const start = (): Running => {
    if (running) return running;
    // NODE_OPTIONS are meant for the program that a person debugs; `--inspect` here would only take its port away.
    const { NODE_OPTIONS: _, ...env } = options.env;
    const child = spawn(process.execPath, [CHILD], { env, stdio: ['pipe', 'pipe', 'ignore'], windowsHide: true });
    const started: Running = { child, waiting: new Map() };
    running = started;

    const fail = (text: string): void => {
      if (running === started) running = undefined;
      for (const waiting of started.waiting.values()) waiting.settle({ kind: 'error', text });
    };
    child.on('error', (error) => fail(`its process could not be started: ${error.message}`));
    child.on('close', (code, signal) => fail(`its process ended (${signal ?? `exit code ${code}`})`));
    child.stdin?.on('error', () => {}); // a child that is gone is reported by 'close'
    if (child.stdout) createInterface({ input: child.stdout }).on('line', (line) => receive(started, line));
    keepAlive(child, false);
    return started;
  };

  return {
    async request(request) {
      const { child, waiting } = start();
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
        const limit = setTimeout(() => {
          running = undefined;
          child.kill('SIGKILL');
          // The others were queued behind this one.
          for (const one of waiting.values()) one.settle({ kind: 'timeout', opened: own.opened });
        }, options.timeoutMs);
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

function receive({ waiting }: Running, line: string): void {
  const message = JSON.parse(line) as { id: number; opened?: true; error?: string; value?: unknown };
  const own = waiting.get(message.id);
  if (!own) return;
  if (message.opened) own.opened = true;
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
