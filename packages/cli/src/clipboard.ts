import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { PassThrough, type Readable } from 'node:stream';
import { CliError, EXIT } from './errors.ts';

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

/**
 * Puts text on the clipboard. Errors: `CliError` where this system has none, or no program for it.
 *
 * The program may live on, for as long as it holds the text; it is not waited for.
 */
export async function copyText(text: string, env: NodeJS.ProcessEnv, platform = process.platform): Promise<void> {
  const { copy, advice } = clipboardOf(platform, env);
  for (const [command, ...args] of copy) {
    const child = spawn(command, args, { env, stdio: ['pipe', 'ignore', 'ignore'] });
    child.stdin.on('error', () => undefined);
    child.stdin.end(text);
    const code = await once(child, 'exit').then(
      ([exitCode]) => exitCode as number | null,
      () => null,
    );
    if (code === 0) return;
  }
  throw new CliError('clipboard_unavailable', EXIT.failed, `There is no clipboard to copy to; ${advice}.`);
}

/**
 * The picture on the clipboard, as a PNG. Errors: `CliError` where this system has no clipboard, or no program for it.
 * An empty stream: there is no picture on it.
 */
export async function pastePicture(env: NodeJS.ProcessEnv, platform = process.platform): Promise<Readable> {
  const { paste, advice } = clipboardOf(platform, env);
  for (const [command, ...args] of paste) {
    const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'ignore'] });
    // Node throws away what nobody has asked for by the time the program ends.
    const picture = child.stdout.pipe(new PassThrough());
    const started = await once(child, 'spawn').then(
      () => true,
      () => false,
    );
    if (started) return picture;
  }
  throw new CliError('clipboard_unavailable', EXIT.failed, `There is no clipboard to read; ${advice}.`);
}
