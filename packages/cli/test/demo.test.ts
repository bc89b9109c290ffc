import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';

const DEMO = fileURLToPath(new URL('../../../scripts/demo.js', import.meta.url));

/** Starts the demo where it can leave things behind only in `temporary`. */
async function startDemo(...args: string[]) {
  const temporary = await mkdtemp(join(tmpdir(), 'imgup-demo-test-'));
  onTestFinished(() => rm(temporary, { recursive: true, force: true }));
  const env = { ...process.env, TMPDIR: temporary, TEMP: temporary, INIT_CWD: temporary };
  const demo = spawn(process.execPath, [DEMO, ...args], { env });
  onTestFinished(() => void demo.kill('SIGKILL'));
  return { temporary, demo, ended: once(demo, 'exit') };
}

test('the demo passes, prints no whole token, and leaves nothing behind', async () => {
  const { temporary, demo, ended } = await startDemo();
  const [stdout, stderr] = await Promise.all([text(demo.stdout), text(demo.stderr)]);
  await ended;
  expect(stderr).toBe('');
  expect(demo.exitCode).toBe(0);
  expect(stdout).toMatch(/\$ imgup upload photo\.jpg\n +http:\/\/127\.0\.0\.1:\d+\/i\/\S+\.jpg\n/);
  expect(stdout).toContain('(exit code 6)');
  expect(stdout).toContain('Everything was as it should be.');
  expect(stdout).not.toMatch(/[\w-]{20,}\.[\w-]{20,}\.[\w-]{20,}/);
  expect(await readdir(temporary)).toEqual([]);
});

test('the demo fails with the sentence that a person sees where their file is no picture', async () => {
  const { temporary, demo, ended } = await startDemo('notes.jpg');
  await writeFile(join(temporary, 'notes.jpg'), 'not a picture');
  const [stdout, stderr] = await Promise.all([text(demo.stdout), text(demo.stderr)]);
  await ended;
  expect(demo.exitCode).toBe(1);
  expect(stdout).toContain('This is no picture that the server takes');
  expect(stderr).toContain('demo: failed: `imgup upload notes.jpg` ended with exit code 5');
  expect(await readdir(temporary)).toEqual(['notes.jpg']);
});

test.skipIf(process.platform === 'win32')('an interrupted demo takes its server and its folder with it', async () => {
  const { temporary, demo, ended } = await startDemo();
  const origin = await new Promise<string>((resolve) => {
    createInterface({ input: demo.stdout }).on('line', (line) => {
      const [, url] = /imgup is listening on (\S+)$/.exec(line) ?? [];
      if (url !== undefined) resolve(url);
    });
  });
  demo.kill('SIGINT');
  await ended;
  expect(demo.exitCode).toBe(130);
  expect(await readdir(temporary)).toEqual([]);
  await expect(fetch(origin)).rejects.toThrow('fetch failed');
});
