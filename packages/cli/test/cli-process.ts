import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdir, mkdtemp, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { rawText } from '../../../scripts/raw-text.js';
import type { Outcome } from './world.ts';

const KEYCHAIN_CHILD = 'keychain-child.cjs';
const SOURCES = fileURLToPath(new URL('../src/', import.meta.url));
const MANIFEST = fileURLToPath(new URL('../package.json', import.meta.url));
/** Below node_modules, so that packages are found from there and nothing is left in the checkout. */
const OUTPUT = fileURLToPath(new URL('../node_modules/.imgup-test/', import.meta.url));

export interface RunningCommand {
  readonly child: ChildProcess;
  readonly pid: number;
  /** With the signal in place of a code where the process was killed, and the time from its start to its end. */
  readonly ended: Promise<Omit<Outcome, 'code'> & { code: number | NodeJS.Signals | null; ms: number }>;
}

interface StartOptions {
  stdin?: string;
  cwd?: string;
}

export type CliProgram = Awaited<ReturnType<typeof compileCli>>;

/** The command line as processes of its own, from the sources as they are now. The server is not in it. */
export async function compileCli() {
  await mkdir(OUTPUT, { recursive: true });
  const folder = await mkdtemp(OUTPUT);
  const { dependencies, devDependencies } = JSON.parse(await readFile(MANIFEST, 'utf8')) as Record<string, object>;
  const packages = Object.keys({ ...dependencies, ...devDependencies });
  await build({
    entryPoints: [join(SOURCES, 'main.ts')],
    entryNames: '[name]',
    outdir: join(folder, 'dist'),
    bundle: true,
    splitting: true,
    platform: 'node',
    format: 'esm',
    conditions: ['imgup-source'],
    external: packages.filter((name) => name !== '@imgup/shared'),
    plugins: [rawText],
    logLevel: 'silent',
  });
  await copyFile(join(SOURCES, 'credentials', KEYCHAIN_CHILD), join(folder, 'dist', KEYCHAIN_CHILD));
  await writeFile(join(folder, 'package.json'), '{"type":"module","version":"0.0.0"}');

  const main = join(folder, 'dist', 'main.js');
  return {
    main,

    start(args: string[], env: NodeJS.ProcessEnv, { stdin = '', cwd }: StartOptions = {}): RunningCommand {
      const began = performance.now();
      const child = spawn(process.execPath, [main, ...args], { env, cwd });
      child.stdin.on('error', () => undefined); // a command may end without having read its input
      child.stdin.end(stdin);
      const ended = Promise.all([once(child, 'exit'), text(child.stdout), text(child.stderr)]).then(
        ([[code, signal], stdout, stderr]) => ({
          code: (code ?? signal) as number | NodeJS.Signals,
          stdout,
          stderr,
          ms: performance.now() - began,
        }),
      );
      return { child, pid: child.pid ?? 0, ended };
    },

    /** The processes that were started from here, by the program or by what it has started, and are still running. */
    async running(): Promise<number[]> {
      const found: number[] = [];
      for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
        const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
        if (commandLine.includes(folder)) found.push(Number(pid));
      }
      return found;
    },

    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

/** Waits until a process has opened the lock of a log-in, which it holds or waits for then. Linux only. */
export async function untilAtTheLock(pid: number): Promise<void> {
  for (const deadline = performance.now() + 15_000; performance.now() < deadline;) {
    const handles = await readdir(`/proc/${pid}/fd`).catch(() => []);
    const paths = await Promise.all(handles.map((handle) => readlink(`/proc/${pid}/fd/${handle}`).catch(() => '')));
    if (paths.some((path) => /\/locks\/[0-9a-f]{32}\.lock$/.test(path))) return;
    await delay(5);
  }
  throw new Error('the process never came to the lock');
}
