import { closeSync, openSync } from 'node:fs';
import { devNull } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { Tinypool } from 'tinypool';

interface WorkerPoolOptions {
  /** The file whose exported functions do the work. */
  file: URL;
  /** Threads share the server's memory, processes do not and may die without it. */
  runtime: 'worker_threads' | 'child_process';
  workers: number;
  /** Jobs that may wait for a worker. */
  maxWaiting: number;
  /** Milliseconds, waiting included, after which a job is given up and its worker ended; none where it is left out. */
  longest?: number;
}

/** Milliseconds. */
const LONGEST_START = 2000;

/** A job was not done: its worker has died or was too slow, or there was none, for none could start or all are taken. */
export class WorkerFailure extends Error {
  readonly code: 'worker_died' | 'job_too_long' | 'worker_unavailable' | 'queue_full';

  constructor(code: WorkerFailure['code'], options?: ErrorOptions) {
    super(`a job was not done: ${code}`, options);
    this.name = 'WorkerFailure';
    this.code = code;
  }
}

/** Workers that are started when they are needed, and end when they have been idle. */
export function createWorkerPool({ file, runtime, workers, maxWaiting, longest }: WorkerPoolOptions) {
  const pool = new Tinypool({
    runtime,
    filename: file.href,
    minThreads: 0,
    maxThreads: workers,
    idleTimeout: 30_000,
    // Else glibc keeps what large pictures took, for each thread of the process.
    env: { MALLOC_ARENA_MAX: '1' },
    maxQueue: maxWaiting,
  });
  const underWay = new Set<AbortController>();
  let closed = false;
  /** Until a worker that was woken is there. */
  let waking: Promise<unknown> | null = null;
  const abortAll = () => {
    for (const job of underWay) job.abort();
  };
  // A worker died between jobs or could not start, for want of descriptors say. Jobs that wait for it would wait for ever.
  pool.on('error', abortAll);

  async function runNow(name: string, task: object): Promise<unknown> {
    // The pool would start a worker again.
    if (closed) throw new WorkerFailure('worker_unavailable');
    if (pool.queueSize >= maxWaiting) throw new WorkerFailure('queue_full');
    const job = new AbortController();
    underWay.add(job);
    // A worker that hangs would be taken for good, and soon all of them.
    let tooLong = false;
    const giveUp = () => {
      const { queueSize } = pool;
      job.abort();
      // A job that still waited leaves the queue in this very call, and is not to blame.
      tooLong = pool.queueSize === queueSize;
    };
    const timer = longest === undefined ? undefined : setTimeout(giveUp, longest);
    try {
      // Nothing may come between this and the call, which may start a worker in the same turn.
      if (runtime === 'child_process' && pool.threads.length < workers) refuseWithoutDescriptors();
      return await pool.run(task, { name, signal: job.signal });
    } catch (error) {
      underWay.delete(job);
      // So would those that wait for one that died at work, unless there is another: the pool starts none for them.
      if (pool.threads.length === 0) abortAll();
      if (tooLong) throw new WorkerFailure('job_too_long', { cause: error });
      if (job.signal.aborted || hasNotStarted(error)) throw new WorkerFailure('worker_unavailable', { cause: error });
      throw hasDied(error) ? new WorkerFailure('worker_died', { cause: error }) : error;
    } finally {
      clearTimeout(timer);
      underWay.delete(job);
    }
  }

  return {
    /** Starts a worker where there is none, so that a job that is about to come finds one. The file exports `ready` for it. */
    wake(): void {
      if (pool.threads.length > 0) return;
      const woken = runNow('ready', {})
        .catch(() => undefined)
        .finally(() => {
          waking = null;
        });
      // One that takes longer may never come, and is not waited for.
      waking = Promise.race([woken, delay(LONGEST_START, undefined, { ref: false })]);
    },

    /**
     * Calls an exported function of the file.
     *
     * @throws WorkerFailure; and what the function throws
     */
    async run(name: string, task: object): Promise<unknown> {
      // Else the pool would start a second one.
      if (waking !== null) await waking;
      return runNow(name, task);
    },

    /** Jobs that have a worker, and those that wait for one. */
    load() {
      return { running: underWay.size - pool.queueSize, waiting: pool.queueSize };
    },

    async close(): Promise<void> {
      closed = true;
      await pool.destroy();
    },
  };
}

/** What the pipes of a new process take, and a few more. */
const DESCRIPTORS = 16;

/**
 * A process that cannot be started for want of descriptors is an error event that tinypool leaves to nobody, and that
 * would end the server.
 *
 * @throws the system's error, EMFILE
 */
function refuseWithoutDescriptors(): void {
  const held: number[] = [];
  try {
    while (held.length < DESCRIPTORS) held.push(openSync(devNull, 'r'));
  } finally {
    for (const descriptor of held) closeSync(descriptor);
  }
}

function hasNotStarted(error: unknown): boolean {
  // An error of a process arrives as another object, and without its code where the system refused something.
  const { code, message } = error as { code?: unknown; message?: unknown };
  return (
    ['EMFILE', 'ENFILE'].includes(String(code)) ||
    String(code).startsWith('ERR_WORKER_') ||
    /^E[A-Z0-9]+: /.test(String(message))
  );
}

function hasDied(error: unknown): boolean {
  return error instanceof Error && error.message === 'Worker exited unexpectedly';
}
