import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { createApp, readConfig } from '@imgup/server';
import { cliOutput } from '@imgup/shared';
import * as v from 'valibot';
import { describe, expect, test } from 'vitest';
import { administer, noPostgres, usePostgres } from '../../server/test/postgres.ts';
import { hasS3, useEngine } from '../../server/test/s3-store.ts';
import { openWorld } from './world.ts';

/** The built one: what is killed is a process of its own. */
const MAIN = fileURLToPath(new URL('../dist/main.cjs', import.meta.url));

const { newDatabase } = usePostgres();
const { engine } = useEngine();

/** The data folder of a stopped server, with one user and some pictures. */
async function stoppedServer(pictures: number) {
  const world = await openWorld({ uploadLimit: { uploads: 1000, windowMs: 1000 } });
  await world.register('ada');
  const files = await Promise.all(Array.from({ length: pictures }, (_, seed) => world.picture(`${seed}.png`, seed)));
  const { stdout } = await world.imgup(['upload', ...files]);
  await world.app.close();
  const migrate = (...args: string[]) => world.imgup(['admin', 'migrate', ...args]);
  return { world, data: join(world.folder, 'data'), migrate, links: stdout.trim().split('\n') };
}

describe.skipIf(noPostgres !== null || !hasS3)('admin migrate', { timeout: 60_000 }, () => {
  test('moves a folder, says how the servers get the secret, and does not show it', async () => {
    const { data, migrate, links } = await stoppedServer(3);
    const [accounts, images] = [await newDatabase(), engine().url()];
    const engines = ['--accounts', accounts, '--images', images];
    const there = await migrate('--from', data, ...engines);
    expect(there).toMatchObject({ code: 0, stdout: '' });
    expect(there.stderr).toContain('Moved 1 user, 1 session and 3 pictures, and read everything back.');
    const [, command = ''] = /IMGUP_SECRET=\$\((.*)\)\n/.exec(there.stderr) ?? [];
    const stored = (await readFile(join(data, 'secret'), 'utf8')).trim();
    expect(there.stderr).not.toContain(stored);
    const shell = spawn('sh', ['-c', command], { stdio: ['ignore', 'pipe', 'ignore'] });
    const IMGUP_SECRET = String((await once(shell.stdout, 'data'))[0]).trim();
    expect(IMGUP_SECRET).toBe(stored);

    const env = { IMGUP_SECRET, IMGUP_ACCOUNTS: accounts, IMGUP_IMAGES: images };
    const app = await createApp(readConfig({ flags: { data }, env }));
    for (const link of links) expect((await app.fetch(new Request(link))).status).toBe(200);
    await app.close();

    const again = await migrate('--from', data, ...engines, '--json');
    expect(JSON.parse(again.stdout)).toMatchObject({ error: { code: 'target_not_empty' } });
  });

  test('goes both ways with the variables of the server, and prints one JSON document', async () => {
    const { world, data, migrate } = await stoppedServer(2);
    const variables = { IMGUP_ACCOUNTS: await newDatabase(), IMGUP_IMAGES: engine().url() };
    const run = (args: string[], env = {}) =>
      world.imgup(['admin', 'migrate', ...args, '--json'], { env: { ...variables, ...env } });
    const there = await run(['--from', data]);
    expect(v.is(cliOutput['admin migrate'], JSON.parse(there.stdout))).toBe(true);
    expect(JSON.parse(there.stdout)).toMatchObject({ accounts: true, images: true, users: 1, pictures: 2, present: 0 });

    const back = join(world.folder, 'back');
    const withoutSecret = await run(['--to', back]);
    expect([withoutSecret.code, JSON.parse(withoutSecret.stdout)]).toMatchObject([
      2,
      { error: { code: 'secret_missing' } },
    ]);
    const secret = (await readFile(join(data, 'secret'), 'utf8')).trim();
    const returned = await run(['--to', back], { IMGUP_SECRET: secret });
    expect(JSON.parse(returned.stdout)).toMatchObject({ data: back, users: 1, pictures: 2, findings: [] });
    expect((await readFile(join(back, 'secret'), 'utf8')).trim()).toBe(secret);
    expect(await world.imgup(['admin', 'check', '--data', back])).toMatchObject({
      code: 0,
      stderr: 'Checked the data of 1 user with 2 pictures: nothing is wrong.\n',
    });
    for (const [wrong, code] of [
      [[], 'usage'],
      [['--from', data, '--to', back], 'usage'],
    ] as const) {
      expect(JSON.parse((await migrate(...wrong, '--json')).stdout)).toMatchObject({ error: { code } });
    }
    const nothing = await migrate('--from', data, '--json');
    expect(JSON.parse(nothing.stdout)).toMatchObject({ error: { code: 'usage', exit_code: 2 } });
  });

  test('names what is damaged, line by line, and ends with 1', async () => {
    const { data, migrate, links } = await stoppedServer(2);
    const [, owner = '', name = ''] = /\/i\/([^/]+)\/(.+)$/.exec(links[0] ?? '') ?? [];
    const accounts = await newDatabase();
    await rm(join(data, 'images', owner, name));
    const found = await migrate('--from', data, '--accounts', accounts, '--images', engine().url());
    expect(found).toMatchObject({
      code: 1,
      stdout: `images/${owner}/${name.replace('.png', '.json')}: a record without its picture\n`,
    });
    expect(found.stderr).toContain(`mend it with \`imgup admin check --repair --data ${data}\`, and run this again`);
    expect(await administer(accounts, 'SELECT FROM users')).toEqual([]);
  });

  test('killed at any moment, it goes on where it was, in both directions', async () => {
    const { world, data, links } = await stoppedServer(60);
    const [accounts, images] = [await newDatabase(), engine().url()];
    const secret = (await readFile(join(data, 'secret'), 'utf8')).trim();
    const env = { ...process.env, IMGUP_SECRET: secret, IMGUP_ACCOUNTS: accounts, IMGUP_IMAGES: images };
    const back = join(world.folder, 'back');
    for (const way of [`--from=${data}`, `--to=${back}`]) {
      const start = () => spawn(process.execPath, [MAIN, 'admin', 'migrate', way, '--json'], { env });
      let document: string | undefined;
      for (const time of [400, 600, 800]) {
        const run = start();
        const printed = text(run.stdout);
        // On a quick machine it may be done by then.
        const isDone = await Promise.race([delay(time, false), once(run, 'exit').then(() => true)]);
        run.kill('SIGKILL');
        if (isDone) document = await printed;
        if (isDone) break;
      }
      document ??= await text(start().stdout);
      expect(JSON.parse(document)).toMatchObject({ users: 1, sessions: 1, pictures: 60, findings: [] });
    }
    const app = await createApp({ data: back });
    for (const link of links) expect((await app.fetch(new Request(link))).status).toBe(200);
    await app.close();
  });
});
