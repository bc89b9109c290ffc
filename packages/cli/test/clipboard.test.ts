import { chmod, readFile, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { copyText, pastePicture } from '../src/clipboard.ts';
import { openWorld, temporaryFolder } from './world.ts';
import { eventually } from '../../server/test/eventually.ts';

/** A system with X11 whose programs are these shell scripts. */
async function system(programs: Record<string, string>) {
  const folder = await temporaryFolder();
  for (const [name, script] of Object.entries(programs)) {
    await writeFile(join(folder, name), `#!/bin/sh\n${script}\n`);
    await chmod(join(folder, name), 0o755);
  }
  const env = { DISPLAY: ':9', PATH: [folder, process.env['PATH']].join(delimiter) };
  return { folder, env, platform: 'linux' as const };
}

describe('what a program of the clipboard says when it fails', () => {
  test('is in the failure of --copy, and the link is printed all the same', async () => {
    const xclip = 'echo "Error: Can\'t open display: :9" >&2; echo more >&2; exit 1';
    const { env } = await system({ xclip, xsel: 'exit 1' });
    const world = await openWorld();
    await world.register();
    expect(await world.imgup(['upload', await world.picture(), '--copy'], { env })).toEqual({
      code: 1,
      stdout: expect.stringMatching(/^http\S+\n$/),
      stderr: `imgup: The clipboard takes nothing: xclip says "Error: Can't open display: :9".\n`,
    });
  });

  test('is in the failure of --from-clipboard, which does not stop the files beside it', async () => {
    const { env } = await system({ xclip: 'echo "Error: target image/png not available" >&2; exit 1' });
    const world = await openWorld();
    await world.register();
    const message = 'The clipboard gives no picture: xclip says "Error: target image/png not available".';
    expect(await world.imgup(['upload', '--from-clipboard'], { env })).toEqual({
      code: 1,
      stdout: '',
      stderr: `imgup: ${message}\n`,
    });
    const both = await world.imgup(['upload', await world.picture(), '--from-clipboard', '--json'], { env });
    expect({ code: both.code, ...(JSON.parse(both.stdout) as object) }).toMatchObject({
      code: 3,
      files: [{ status: 'uploaded' }, { file: 'The clipboard', status: 'failed', error: { message, exit_code: 1 } }],
    });
  });

  test('is not waited for where it goes on in the background to hold the text', async () => {
    const { folder, env, platform } = await system({ xclip: 'cat > "$0.copied"; sleep 600 & exit 0' });
    await copyText('a link', { env, platform, signal: new AbortController().signal });
    expect(await readFile(join(folder, 'xclip.copied'), 'utf8')).toBe('a link');
  });
});

test.each(['copy', 'paste'])('a program that hangs is ended with the %s that waits for it', async (what) => {
  const { folder, env, platform } = await system({ xclip: 'echo $$ > "$0.pid"; exec sleep 600' });
  const controller = new AbortController();
  const reason = new Error('interrupted');
  const options = { env, platform, signal: controller.signal };
  const work =
    what === 'copy'
      ? copyText('a', options)
      : pastePicture(options).then(async (picture) => {
          for await (const _ of picture);
        });
  const outcome = work.then(
    () => 'done',
    (error: unknown) => error,
  );
  const pid = await eventually(async () => {
    const written = Number(await readFile(join(folder, 'xclip.pid'), 'utf8'));
    expect(written).toBeGreaterThan(0);
    return written;
  });
  controller.abort(reason);
  const error = await outcome;
  expect(what === 'copy' ? error : (error as Error).cause).toBe(reason);
  await eventually(() => expect(() => process.kill(pid, 0)).toThrow('ESRCH'));
});
