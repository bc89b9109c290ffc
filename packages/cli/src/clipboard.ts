import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { addAbortSignal, PassThrough, Readable, type Writable } from 'node:stream';
import { text as readAll } from 'node:stream/consumers';
import { CliError, EXIT } from './errors.ts';
import { printable } from './printable.ts';
import { unlessAborted } from './unless-aborted.ts';

/** A program of the system, and what it is given. */
type Tool = [command: string, ...args: string[]];

interface Clipboard {
  copy: Tool[];
  paste: Tool[];
  /** What to install where none of them is there. */
  advice: string;
}

const MACOS_PASTE =
  'ObjC.import("AppKit"); ObjC.import("Foundation");' +
  'const d = $.NSPasteboard.generalPasteboard.dataForType("public.png");' +
  '$.NSFileHandle.fileHandleWithStandardOutput.writeData(d);';

const WINDOWS_PASTE =
  'Add-Type -AssemblyName System.Windows.Forms,System.Drawing; $i=[Windows.Forms.Clipboard]::GetImage(); if(!$i){exit 1};' +
  '$m=New-Object IO.MemoryStream; $i.Save($m,[Drawing.Imaging.ImageFormat]::Png);' +
  '$o=[Console]::OpenStandardOutput(); $o.Write($m.ToArray(),0,$m.Length); $o.Flush()';

function clipboardOf(platform: NodeJS.Platform, env: NodeJS.ProcessEnv): Clipboard {
  const powershell: Tool = ['powershell.exe', '-NoProfile', '-STA', '-Command', WINDOWS_PASTE];
  if (platform === 'darwin') {
    const paste: Tool[] = [
      ['pngpaste', '-'],
      ['osascript', '-l', 'JavaScript', '-e', MACOS_PASTE],
    ];
    return { copy: [['pbcopy']], paste, advice: 'check that pbcopy can be run' };
  }
  if (platform === 'win32')
    return { copy: [['clip.exe']], paste: [powershell], advice: 'check that PowerShell can be run' };
  const wayland: Clipboard = {
    copy: [['wl-copy']],
    paste: [['wl-paste', '--no-newline', '--type', 'image/png']],
    advice: 'install wl-clipboard',
  };
  const x11: Clipboard = {
    copy: [
      ['xclip', '-selection', 'clipboard'],
      ['xsel', '--clipboard', '--input'],
    ],
    paste: [['xclip', '-selection', 'clipboard', '-target', 'image/png', '-out']],
    advice: 'install xclip',
  };
  if (env['WAYLAND_DISPLAY']) return wayland;
  if (env['DISPLAY']) return x11;
  // The Windows that this Linux runs in.
  if (env['WSL_DISTRO_NAME'])
    return { copy: [['clip.exe']], paste: [powershell], advice: 'check that Windows programs can be run' };
  return { copy: [], paste: [], advice: 'run it in a desktop session' };
}

/** The surroundings of the system's programs, and what ends them. */
interface ClipboardOptions {
  env: NodeJS.ProcessEnv;
  signal: AbortSignal;
  platform?: NodeJS.Platform;
}

/**
 * Puts text on the clipboard. Errors: `CliError` where this system has none, or no program for it, with what that says;
 * the signal's reason.
 *
 * The program may live on, for as long as it holds the text; it is not waited for.
 */
export async function copyText(
  text: string,
  { env, signal, platform = process.platform }: ClipboardOptions,
): Promise<void> {
  const { copy, advice } = clipboardOf(platform, env);
  let failure: CliError | null = null;
  for (const tool of copy) {
    const started = await start(tool, { env, signal });
    if (started === null) continue;
    const { child, words } = started;
    child.stdin.end(text);
    const code = await unlessAborted(started.code, signal);
    if (code !== 0) failure ??= clipboardFailure(`The clipboard takes nothing: ${await said(tool, words)}.`);
    child.stdout.destroy();
    child.stderr.destroy();
    if (code === 0) return;
  }
  throw failure ?? clipboardFailure(`There is no clipboard to copy to; ${advice}.`);
}

/**
 * The picture on the clipboard, as a PNG. Errors: `CliError` where this system has no clipboard, or no program for it;
 * of the stream: `CliError` where there is no picture on it, with what the program says.
 */
export async function pastePicture({ env, signal, platform = process.platform }: ClipboardOptions): Promise<Readable> {
  const { paste, advice } = clipboardOf(platform, env);
  for (const tool of paste) {
    const started = await start(tool, { env, signal });
    if (started === null) continue;
    started.child.stdin.end();
    // Node throws away what nobody has asked for by the time the program ends.
    const bytes = started.child.stdout.pipe(addAbortSignal(signal, new PassThrough()));
    return Readable.from(output(tool, started, bytes));
  }
  throw clipboardFailure(`There is no clipboard to read; ${advice}.`);
}

async function* output(tool: Tool, { code, words }: Started, bytes: Readable): AsyncGenerator<Buffer> {
  yield* bytes;
  if ((await code) !== 0) throw clipboardFailure(`The clipboard gives no picture: ${await said(tool, words)}.`);
}

interface Started {
  child: ChildProcessByStdio<Writable, Readable, Readable>;
  /** Null: a signal has ended it. */
  code: Promise<number | null>;
  /** All that it writes to stderr. */
  words: Promise<string>;
}

/** Runs a program until it ends by itself or the signal ends it; null where it is not there. */
async function start(
  [command, ...args]: Tool,
  { env, signal }: Pick<ClipboardOptions, 'env' | 'signal'>,
): Promise<Started | null> {
  signal.throwIfAborted();
  const child = spawn(command, args, { env, stdio: ['pipe', 'pipe', 'pipe'] });
  const started: Started = {
    child,
    code: once(child, 'exit').then(
      ([code]) => code as number | null,
      () => null,
    ),
    words: readAll(child.stderr).catch(() => ''),
  };
  child.stdin.on('error', () => undefined);
  const end = () => {
    child.kill('SIGKILL');
    // What it has started itself may hold them open.
    for (const stream of [child.stdin, child.stdout, child.stderr]) stream.destroy();
  };
  signal.addEventListener('abort', end, { once: true });
  child.once('close', () => signal.removeEventListener('abort', end));
  return once(child, 'spawn').then(
    () => started,
    () => null,
  );
}

/** What a program that has failed says of it, as a clause. */
async function said([command]: Tool, words: Promise<string>): Promise<string> {
  const line = (await words).split('\n').find((each) => each.trim() !== '');
  return line === undefined ? `${command} failed` : `${command} says "${printable(line).trim().slice(0, WORDS_MAX)}"`;
}

/** Of another program's words, in characters. */
const WORDS_MAX = 200;

function clipboardFailure(message: string): CliError {
  return new CliError('clipboard_unavailable', EXIT.failed, message, { path: 'the clipboard' });
}
