import { availableParallelism } from 'node:os';
import { dictionary } from '@zxcvbn-ts/language-common';
import { PASSWORD_MAX_BYTES, PASSWORD_MIN_BYTES } from '@imgup/shared';
import { AppError } from '../errors.ts';
import { noMetrics, type Metrics } from '../ports/metrics.ts';
import { createWorkerPool, WorkerFailure } from '../worker-pool.ts';
import type { HashTask, VerifyTask } from './password-worker.js';

interface PasswordsOptions {
  /** bcrypt's cost: the logarithm of the number of rounds. */
  cost: number;
  metrics?: Metrics;
}

/** Hash jobs that may wait for a worker, per worker; beyond it, callers are told to come back. */
const QUEUE_PER_WORKER = 64;

const COMMON_PASSWORDS: ReadonlySet<string> = new Set(dictionary['passwords-common'].map(String));

export type Passwords = ReturnType<typeof createPasswords>;

/** Hashes and checks passwords with bcrypt in worker threads: on the main thread, each would stop every other request. */
export function createPasswords({ cost, metrics = noMetrics }: PasswordsOptions) {
  // One core is left to the requests; hashing more at once would only make each slower.
  const workers = Math.max(1, availableParallelism() - 1);
  const pool = createWorkerPool({
    file: new URL('./password-worker.js', import.meta.url),
    runtime: 'worker_threads',
    workers,
    maxWaiting: workers * QUEUE_PER_WORKER,
  });
  const jobs = 'Passwords that are being hashed, and those that wait for a worker.';
  metrics.gauge('imgup_password_jobs', jobs, () => pool.load().running, { state: 'running' });
  metrics.gauge('imgup_password_jobs', jobs, () => pool.load().waiting, { state: 'waiting' });
  /** What unknown users' passwords are compared with. It must be a real hash: a malformed one is answered at once. */
  let decoy: Promise<string> | undefined;

  function decoyHash(): Promise<string> {
    decoy ??= hashNormalized('no password has this hash').catch((error: unknown) => {
      decoy = undefined;
      throw error;
    });
    return decoy;
  }

  async function run(task: HashTask | VerifyTask): Promise<unknown> {
    try {
      return await pool.run(task.kind, task);
    } catch (error) {
      throw error instanceof WorkerFailure ? busy(error) : error;
    }
  }

  function hashNormalized(password: string): Promise<string> {
    return run({ kind: 'hash', password, cost }) as Promise<string>;
  }

  // Made at the start, or the first unknown user would be told by the time that it takes.
  decoyHash().catch(() => undefined);

  return {
    /**
     * Refuses passwords that are too short, too long for bcrypt, unprintable, or among those that attackers try first.
     *
     * @throws AppError `password_too_short`, `password_too_long`, `password_invalid`, `password_common`
     */
    async check(password: string, username: string): Promise<void> {
      const normalized = password.normalize('NFC');
      const bytes = Buffer.byteLength(normalized);
      if (bytes > PASSWORD_MAX_BYTES) {
        const detail = `A password may have at most ${PASSWORD_MAX_BYTES} bytes; this one has ${bytes}. Choose a shorter one.`;
        throw new AppError('password_too_long', detail);
      }
      if (bytes < PASSWORD_MIN_BYTES) {
        const detail = `A password needs at least ${PASSWORD_MIN_BYTES} bytes; this one has ${bytes}. Choose a longer one.`;
        throw new AppError('password_too_short', detail);
      }
      // A NUL would end the password early in other bcrypt programs, and no keyboard makes the others.
      if (/\p{Cc}|\p{Cs}/u.test(normalized)) {
        throw new AppError('password_invalid', 'A password may not hold control characters. Choose another one.');
      }
      const lower = normalized.toLowerCase();
      if (COMMON_PASSWORDS.has(lower) || lower === username.toLowerCase()) {
        throw new AppError(
          'password_common',
          'This password is one of the first that attackers try. Choose another one.',
        );
      }
    },

    /** @throws AppError `server_busy` */
    hash(password: string): Promise<string> {
      return hashNormalized(password.normalize('NFC'));
    },

    /**
     * Compares a password with a user's hash. With null (no such user) it takes as long, and is false.
     *
     * @throws AppError `server_busy`
     */
    async verify(password: string, hash: string | null): Promise<boolean> {
      const normalized = password.normalize('NFC');
      // bcrypt would cut it at 72 bytes and accept whatever follows. No stored password is that long.
      if (Buffer.byteLength(normalized) > PASSWORD_MAX_BYTES) return false;
      const against = hash ?? (await decoyHash());
      const matches = await run({ kind: 'verify', password: normalized, hash: against });
      return hash !== null && matches === true;
    },

    async close(): Promise<void> {
      await pool.close();
    },
  };
}

function busy(cause?: unknown): AppError {
  return new AppError('server_busy', 'Too many people are logging in at once. Try again in a few seconds.', {
    headers: { 'Retry-After': '5' },
    cause,
  });
}

/** How a stored hash was made, for people: "bcrypt, cost 12". Never the hash. */
export function describeHash(hash: string): string {
  const cost = /^\$2[aby]\$(\d\d)\$/.exec(hash)?.[1];
  return cost === undefined ? 'unknown' : `bcrypt, cost ${Number(cost)}`;
}
