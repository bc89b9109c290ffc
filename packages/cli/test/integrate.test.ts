import { execFile, execFileSync, spawn } from 'node:child_process';
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { basename, dirname, join } from 'node:path';
import { readConfig, startServer } from '@imgup/server';
import { keysResponse, KEY_PATTERN } from '@imgup/shared';
import * as v from 'valibot';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createNodeTransport } from '../src/api/node-transport.ts';
import { openWorld, PASSWORD, SERVER, temporaryFolder, writePicture, type RunOptions } from './world.ts';

const TOOLS = ['sharex', 'flameshot', 'picgo', 'curl'];

/** A host that a URL may have, and that any shell or syntax would take apart where it is not quoted. */
const ODD = 'http://a\'b"{c}$(d)`e`;&!*.test';

const hasCurl = isThere('curl');
if (!hasCurl) console.warn('skipped: uploads by curl and by the script for Flameshot; install curl');

/** A server, ada, who is logged in there, a folder with photo.png, and no screen. */
async function openServer() {
  const folder = await temporaryFolder();
  const flags = { port: '0', data: join(folder, 'data'), 'min-free': '0' };
  const server = await startServer({ ...readConfig({ flags, env: {} }), passwordCost: 4 });
  onTestFinished(() => server.close());
  const world = await openWorld();
  const overNetwork = { transport: async () => createNodeTransport() };
  const imgup = (args: string[], options: RunOptions = {}) =>
    world.imgup([...args, '--server', server.url], { ...options, context: overNetwork });
  const registered = await imgup(['register', '--username', 'ada', '--password-stdin'], { stdin: PASSWORD });
  expect(registered).toMatchObject({ code: 0 });
  const photo = await writePicture(join(folder, 'photo.png'), 7);
  const env = { PATH: process.env['PATH'], HOME: folder, TMPDIR: await temporaryFolder() };
  return {
    url: server.url,
    folder,
    env,
    photo,
    imgup,
    async configuration(tool: string): Promise<string> {
      const { code, stdout } = await imgup(['integrate', tool]);
      expect(code).toBe(0);
      return stdout;
    },
    async keys() {
      const { stdout } = await imgup(['keys', '--json']);
      return v.parse(keysResponse, JSON.parse(stdout)).keys;
    },
    /** Whether what is at this link is the photo. */
    async isPhoto(link: string): Promise<boolean> {
      const answer = await fetch(link);
      return answer.ok && Buffer.from(await answer.arrayBuffer()).equals(await readFile(photo));
    },
  };
}

/** Runs a program to its end. */
function run(program: string, args: string[], options: { cwd: string; env: NodeJS.ProcessEnv }) {
  return new Promise<{ code: number | string | null | undefined; stdout: string; stderr: string }>((resolve) => {
    execFile(program, args, options, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : error.code, stdout, stderr });
    });
  });
}

/** Adds a program, by its lines of shell, to those that are found first. */
async function standIn(env: NodeJS.ProcessEnv, folder: string, name: string, script: string) {
  const programs = join(folder, 'bin');
  await mkdir(programs, { recursive: true });
  await writeFile(join(programs, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return { ...env, PATH: `${programs}:${env['PATH']?.replace(`${programs}:`, '')}` };
}

describe('integrate', () => {
  test.each(TOOLS)('%s makes a key of its own each time, and says so and what to do on stderr', async (tool) => {
    const world = await openWorld();
    await world.register('ada');
    const [first, second] = [await world.imgup(['integrate', tool]), await world.imgup(['integrate', tool])];
    expect(first.code).toBe(0);
    expect(first.stdout).toMatch(/imgup_[0-9a-f]{16}_/);
    expect(first.stdout).not.toBe(second.stdout);
    expect(first.stderr).toMatch(new RegExp(`^Made the upload key "${tool}" at ${SERVER}; .*\n`));
    expect(first.stderr).toMatch(/whoever can read it can upload as you\.\n$/);
    expect(first.stderr).not.toMatch(/imgup_/);
    const { keys } = v.parse(keysResponse, JSON.parse((await world.imgup(['keys', '--json'])).stdout));
    expect(keys.map(({ name }) => name)).toEqual([tool, tool]);
  });

  test('--json has the configuration as a text, and the key that was made by its name', async () => {
    const world = await openWorld();
    await world.register('ada');
    const { stdout } = await world.imgup(['integrate', 'curl', '--json']);
    expect(JSON.parse(stdout)).toMatchObject({
      server: SERVER,
      tool: 'curl',
      key_made: { id: expect.stringMatching(/^[0-9a-f]{16}$/) as string, name: 'curl' },
      configuration: expect.stringMatching(/^curl .*\/api\/images'$/) as string,
    });
  });

  test('--key takes one that is there, makes none, and needs no log-in', async () => {
    const world = await openWorld();
    await world.register('ada');
    const key = (await world.imgup(['keys', 'create', 'mine'])).stdout.trim();
    const env = { XDG_CONFIG_HOME: `${world.folder}/other` };
    for (const tool of TOOLS) {
      const { code, stdout, stderr } = await world.imgup(['integrate', tool, '--key', key], { env });
      expect({ code, has: stdout.includes(key) }).toEqual({ code: 0, has: true });
      expect(stderr).not.toContain('Made the upload key');
    }
    const { keys } = v.parse(keysResponse, JSON.parse((await world.imgup(['keys', '--json'])).stdout));
    expect(keys).toHaveLength(1);
    await world.imgup(['keys', 'revoke', 'mine']);
    expect(await world.imgup(['integrate', 'curl', '--key', key], { env })).toMatchObject({
      code: 4,
      stdout: '',
      stderr: expect.stringMatching(/^imgup: \S+ refuses this key: it was revoked/) as string,
    });
  });

  test.each(['', 'imgup_', 'secret', `imgup_${'0'.repeat(16)}_'; rm -rf ~; '`])(
    '--key %j is wrong usage, and repeated to nobody',
    async (key) => {
      const world = await openWorld();
      const { code, stdout, stderr } = await world.imgup(['integrate', 'curl', '--key', key]);
      expect({ code, stdout, asked: world.asked() }).toEqual({ code: 2, stdout: '', asked: [] });
      expect(stderr).toMatch(/^imgup: --key is not an upload key, which begins with "imgup_"; /);
      expect(stderr).not.toMatch(/secret|rm -rf/);
    },
  );

  test('names the programs that there are, and sends no key over an open network', async () => {
    const world = await openWorld();
    expect(await world.imgup(['integrate', 'gimp'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('sharex, flameshot, picgo, curl') as string,
    });
    expect(await world.imgup(['integrate', 'curl', '--server', 'http://img.test'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--insecure-http') as string,
    });
    expect(world.asked()).toEqual([]);
  });
});

describe('a host of odd characters survives', () => {
  async function configurationOf(tool: string) {
    const world = await openWorld();
    await world.register('ada', ['--server', ODD, '--insecure-http']);
    const { code, stdout } = await world.imgup(['integrate', tool, '--server', ODD, '--insecure-http']);
    expect(code).toBe(0);
    const env = { PATH: process.env['PATH'], HOME: world.folder };
    const path = join(world.folder, 'arguments');
    const stub = `printf '%s\\n' "$@" >'${path}'; printf '%s\\n' https://img.test/i/1.png`;
    const runScript = async () => {
      const options = { cwd: world.folder, env: await standIn(env, world.folder, 'curl', stub) };
      const outcome = await run('sh', ['-c', stdout], {
        ...options,
        env: { ...options.env, IMGUP_SCREENSHOT: 'echo x' },
      });
      return { outcome, args: (await readFile(path, 'utf8')).trimEnd().split('\n') };
    };
    return { text: stdout, runScript };
  }

  test.each(['curl', 'flameshot'])(
    'a shell, which takes nothing else in the output of %s for its own',
    async (tool) => {
      const { runScript } = await configurationOf(tool);
      const { outcome, args } = await runScript();
      expect(outcome).toEqual({ code: 0, stdout: 'https://img.test/i/1.png\n', stderr: '' });
      expect(args.at(-1)).toBe(`${ODD}/api/images`);
      if (tool === 'flameshot') expect(args.join(' ')).not.toMatch(/imgup_/);
    },
  );

  test('the syntaxes of ShareX and JSON', async () => {
    const sharex = JSON.parse((await configurationOf('sharex')).text) as CustomUploader;
    expect(evaluate(sharex.RequestURL, '')).toBe(`${ODD}/api/images`);
    const picgo = JSON.parse((await configurationOf('picgo')).text) as PicgoConfig;
    expect(picgo.picBed['web-uploader'].url).toBe(`${ODD}/api/images`);
  });
});

interface CustomUploader {
  Version: string;
  Name: string;
  DestinationType: string;
  RequestMethod: string;
  RequestURL: string;
  Headers: Record<string, string>;
  Body: string;
  FileFormName: string;
  URL: string;
  ThumbnailURL: string;
  ErrorMessage: string;
}

interface PicgoConfig {
  picBed: { 'web-uploader': { url: string } };
}

/**
 * A text in ShareX's syntax: `{json:path}` is a member of the answer, and a backslash makes the next character itself.
 * What is not known here is an error, as it would be there.
 */
function evaluate(text: string, answer: string): string {
  return text.replaceAll(/\\(.)|\{json:(\w+)\}|[{}|]/g, (whole, character?: string, member?: string) => {
    if (character !== undefined) return character;
    if (member === undefined) throw new Error(`ShareX would take ${whole} for its syntax`);
    return (JSON.parse(answer) as Record<string, string>)[member] ?? '';
  });
}

/** What ShareX does with a custom uploader, as https://getsharex.com/docs/custom-uploader has it. */
async function uploadAsShareX(sxcu: CustomUploader, name: string, bytes: Buffer) {
  expect(sxcu).toMatchObject({ DestinationType: 'ImageUploader', Body: 'MultipartFormData' });
  // Older ones are converted from another syntax first.
  const [major = 0] = sxcu.Version.split('.').map(Number);
  expect(major).toBeGreaterThanOrEqual(14);
  const form = new FormData();
  form.append(sxcu.FileFormName, new Blob([bytes], { type: 'application/octet-stream' }), name);
  const headers = Object.entries(sxcu.Headers).map(([header, value]): [string, string] => [
    header,
    evaluate(value, ''),
  ]);
  const answer = await fetch(evaluate(sxcu.RequestURL, ''), { method: sxcu.RequestMethod, headers, body: form });
  const text = await answer.text();
  if (!answer.ok) return { error: evaluate(sxcu.ErrorMessage, text) };
  return { url: evaluate(sxcu.URL, text), thumbnail: evaluate(sxcu.ThumbnailURL, text) };
}

describe('ShareX', () => {
  test('uploads with the custom uploader, and has a link, a small version, and the reason where there is none', async () => {
    const { configuration, photo, isPhoto, imgup } = await openServer();
    const sxcu = JSON.parse(await configuration('sharex')) as CustomUploader;
    const members = [
      'URL',
      'ThumbnailURL',
      'ErrorMessage',
      'Name',
      'Version',
      'Headers',
      'RequestMethod',
      'RequestURL',
    ];
    expect(Object.keys(sxcu).toSorted()).toEqual([...members, 'Body', 'DestinationType', 'FileFormName'].toSorted());
    const { url = '', thumbnail = '' } = await uploadAsShareX(sxcu, 'Screenshot 1.png', await readFile(photo));
    expect(await isPhoto(url)).toBe(true);
    expect((await fetch(thumbnail)).headers.get('content-type')).toMatch(/^image\//);
    expect(await uploadAsShareX(sxcu, 'x.png', Buffer.from('no picture'))).toEqual({
      error: expect.stringMatching(/^This is not a picture|PNG/) as string,
    });
    await imgup(['keys', 'revoke', 'sharex']);
    expect(await uploadAsShareX(sxcu, 'x.png', await readFile(photo))).toEqual({
      error: 'This upload key is not one of this server, or has been revoked.',
    });
  });
});

describe.skipIf(!hasCurl)('curl', () => {
  test('uploads by the command line as it is printed, and prints the link', async () => {
    const { configuration, isPhoto, folder, env, keys, imgup } = await openServer();
    const command = await configuration('curl');
    const { code, stdout, stderr } = await run('sh', ['-c', command], { cwd: folder, env });
    expect({ code, stderr, lines: stdout.split('\n').length }).toEqual({ code: 0, stderr: '', lines: 2 });
    expect(await isPhoto(stdout.trim())).toBe(true);
    expect(await keys()).toMatchObject([{ name: 'curl', last_used_at: expect.stringMatching(/Z$/) as string }]);

    await imgup(['keys', 'revoke', 'curl']);
    const refused = await run('sh', ['-c', command], { cwd: folder, env });
    expect({ code: refused.code, problem: JSON.parse(refused.stdout) as unknown }).toMatchObject({
      code: 22,
      problem: { code: 'token_invalid' },
    });
  });
});

describe.skipIf(!hasCurl)('the script for Flameshot', () => {
  async function open() {
    const server = await openServer();
    const script = join(server.folder, 'screenshot.sh');
    await writeFile(script, await server.configuration('flameshot'), { mode: 0o700 });
    const take = (env: NodeJS.ProcessEnv) =>
      run('sh', [script], { cwd: server.folder, env: { ...server.env, IMGUP_SCREENSHOT: 'cat photo.png', ...env } });
    /** What is left in the folder for temporary files. */
    const left = () => readdir(server.env.TMPDIR);
    return { ...server, script, take, left };
  }

  test('uploads what Flameshot has taken, and prints the link', async () => {
    const { script, env, folder, isPhoto, left } = await open();
    const flameshot = `[ "$*" = 'gui --raw' ] && cat '${folder}/photo.png'`;
    const { code, stdout, stderr } = await run(script, [], {
      cwd: folder,
      env: await standIn(env, folder, 'flameshot', flameshot),
    });
    expect({ code, stderr, lines: stdout.split('\n').length }).toEqual({ code: 0, stderr: '', lines: 2 });
    expect(await isPhoto(stdout.trim())).toBe(true);
    expect(await left()).toEqual([]);
  });

  test('takes any other program, and puts the link on the clipboard of Wayland or X11', async () => {
    const { take, env, folder, isPhoto } = await open();
    const paste = (name: string) => readFile(join(folder, name), 'utf8');
    let programs = await standIn(env, folder, 'wl-copy', `cat >'${folder}/wayland'`);
    programs = await standIn(programs, folder, 'xclip', `echo "$*" >'${folder}/xclip'; cat >'${folder}/x11'`);
    const first = await take({ ...programs, WAYLAND_DISPLAY: 'wayland-0', DISPLAY: ':0' });
    expect(first).toMatchObject({ code: 0, stderr: '' });
    expect(await paste('wayland')).toBe(first.stdout.trim());
    const second = await take({ ...programs, DISPLAY: ':0', IMGUP_SCREENSHOT: 'cat "$HOME/photo.png"; true' });
    expect(second).toEqual(first);
    expect([await paste('xclip'), await paste('x11')]).toEqual(['-selection clipboard\n', first.stdout.trim()]);
    expect(await isPhoto(first.stdout.trim())).toBe(true);
    const broken = await standIn(programs, folder, 'xclip', 'exit 1');
    expect(await take({ ...broken, DISPLAY: ':0' })).toEqual({
      ...first,
      stderr: 'imgup: The link could not be put on the clipboard.\n',
    });
  });

  test('says why there is no link, fails, and leaves nothing behind', async () => {
    const { take, imgup, left } = await open();
    const outcomes = [
      await take({ IMGUP_SCREENSHOT: 'cat photo.png; false' }),
      await take({ IMGUP_SCREENSHOT: 'true' }),
      await take({ IMGUP_SCREENSHOT: 'no-such-program' }),
      await take({ IMGUP_SCREENSHOT: 'echo no picture' }),
    ];
    await imgup(['keys', 'revoke', 'flameshot']);
    outcomes.push(await take({}));
    expect(outcomes.map(({ code, stdout }) => ({ code, stdout }))).toEqual(
      outcomes.map(() => ({ code: 1, stdout: '' })),
    );
    const last = outcomes.map(({ stderr }) => stderr.trimEnd().split('\n').at(-1));
    expect(last).toEqual([
      'imgup: No screenshot was taken.',
      'imgup: No screenshot was taken.',
      'imgup: No screenshot was taken.',
      expect.stringMatching(/^imgup: The screenshot was not uploaded\. [A-Z].*\.$/) as string,
      'imgup: The screenshot was not uploaded. This upload key is not one of this server, or has been revoked.',
    ]);
    expect(last[3]).toContain('PNG');
    expect(await left()).toEqual([]);
  });

  test('fails where nobody answers, or something that is not imgup', async () => {
    const { script, folder, env, url, left } = await open();
    const text = await readFile(script, 'utf8');
    const other = createServer((_request, answer) => answer.end('<p>Welcome'));
    await new Promise<void>((listening) => other.listen(0, '127.0.0.1', listening));
    const { port } = other.address() as AddressInfo;
    const takeFrom = async (origin: string) => {
      await writeFile(script, text.replace(url, origin));
      return run('sh', [script], { cwd: folder, env: { ...env, IMGUP_SCREENSHOT: 'cat photo.png' } });
    };
    expect(await takeFrom(`http://127.0.0.1:${port}`)).toMatchObject({
      code: 1,
      stdout: '',
      stderr: `imgup: What answers at http://127.0.0.1:${port}/api/images is not imgup.\n`,
    });
    await new Promise((closed) => other.close(closed));
    expect(await takeFrom(`http://127.0.0.1:${port}`)).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(
        /^curl: \(7\) .*\nimgup: The screenshot was not uploaded\. curl ended with 7\.\n$/,
      ) as string,
    });
    expect(await left()).toEqual([]);
  });
});

describe('PicGo', () => {
  const require = createRequire(import.meta.url);
  const program = join(dirname(require.resolve('picgo/package.json')), 'bin', 'picgo');
  const plugin = dirname(require.resolve('picgo-plugin-web-uploader/package.json'));

  /** A folder as ~/.picgo is after `picgo install web-uploader`, with this configuration. */
  async function openPicgo(configuration: string) {
    const folder = await temporaryFolder();
    await mkdir(join(folder, 'node_modules'));
    await symlink(plugin, join(folder, 'node_modules', basename(plugin)));
    const dependencies = { [basename(plugin)]: '1.1.1' };
    await writeFile(join(folder, 'package.json'), JSON.stringify({ name: 'picgo-plugins', dependencies }));
    const config = join(folder, 'config.json');
    await writeFile(config, configuration);
    return async (picture: string) => {
      const env = { PATH: process.env['PATH'], HOME: folder };
      const child = spawn(process.execPath, [program, '-c', config, 'upload', picture], { cwd: folder, env });
      onTestFinished(() => void child.kill());
      let said = '';
      for await (const chunk of child.stdout.setEncoding('utf8')) {
        said += String(chunk);
        // It ends no sooner than the server closes the connection, which it leaves open.
        if (/\[PicGo SUCCESS\].*\n.*\n/.test(said)) child.kill();
      }
      expect(said).toContain('[PicGo SUCCESS]');
      return said.match(/^http.*$/gm);
    };
  }

  test(
    'uploads with the configuration; of what was refused it says SUCCESS without a link',
    { timeout: 60_000 },
    async () => {
      const { configuration, isPhoto, photo, folder } = await openServer();
      const upload = await openPicgo(await configuration('picgo'));
      const broken = join(folder, 'broken.png');
      await writeFile(broken, 'no picture');
      const [links, none] = [await upload(photo), await upload(broken)];
      expect([links?.length, none]).toEqual([1, null]);
      expect(await isPhoto(links?.[0] ?? '')).toBe(true);
    },
  );
});

test('each configuration holds a key and no access token', async () => {
  const world = await openWorld();
  await world.register('ada');
  for (const tool of TOOLS) {
    const { stdout } = await world.imgup(['integrate', tool]);
    expect(stdout.match(/imgup_[\w-]+/g)?.every((key) => KEY_PATTERN.test(key))).toBe(true);
    expect(stdout).not.toContain('eyJ');
  }
});

function isThere(command: string): boolean {
  try {
    execFileSync(command, ['-V'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
