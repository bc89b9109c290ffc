import { createKeyResponse, keysResponse, KEY_PATTERN } from '@imgup/shared';
import * as v from 'valibot';
import { describe, expect, test } from 'vitest';
import { openWorld, rewriting, SERVER } from './world.ts';

async function openWithAda() {
  const world = await openWorld();
  await world.register('ada');
  return world;
}

type World = Awaited<ReturnType<typeof openWithAda>>;

async function create(world: World, name: string): Promise<string> {
  const { code, stdout } = await world.imgup(['keys', 'create', name]);
  expect(code).toBe(0);
  return stdout.trim();
}

async function listed(world: World) {
  const { stdout } = await world.imgup(['keys', '--json']);
  return v.parse(keysResponse, JSON.parse(stdout)).keys;
}

/** The exit code of an upload with a key in place of a log-in, on a machine that knows nothing else. */
async function uploadWith(world: World, key: string): Promise<number> {
  const env = { IMGUP_TOKEN: key, XDG_CONFIG_HOME: `${world.folder}/other` };
  return (await world.imgup(['upload', await world.picture()], { env })).code;
}

describe('keys create', () => {
  test('prints the key alone on stdout, and says on stderr that it is shown only once', async () => {
    const world = await openWithAda();
    const { code, stdout, stderr } = await world.imgup(['keys', 'create', 'my blog']);
    expect({ code, isKey: KEY_PATTERN.test(stdout.replace(/\n$/, '')) }).toEqual({ code: 0, isKey: true });
    expect(stderr).toMatch(/^Made the upload key "my blog" at http:\S+\. It is shown only this once; .*\n$/);
    expect(stderr).toContain(`imgup keys revoke ${stdout.slice(6, 14)}`);
    expect(stderr).not.toContain(stdout.slice(23, -1));
  });

  test('--json is what the server answers, and --debug shows the key to nobody else', async () => {
    const world = await openWithAda();
    const { code, stdout, stderr } = await world.imgup(['keys', 'create', 'blog', '--json', '--debug']);
    const { id, name, key } = v.parse(createKeyResponse, JSON.parse(stdout));
    expect({ code, name, has: key.includes(id) }).toEqual({ code: 0, name: 'blog', has: true });
    expect(stderr).toContain('"key":"[hidden]"');
    expect(stderr).not.toContain(key.slice(-43));
  });

  test('makes what uploads without a log-in, and may do nothing else', async () => {
    const world = await openWithAda();
    const key = await create(world, 'ci');
    const env = { IMGUP_TOKEN: key, XDG_CONFIG_HOME: `${world.folder}/other` };
    const upload = ['upload', await world.picture()];
    const first = await world.imgup(upload, { env });
    expect(first).toMatchObject({ code: 0, stdout: expect.stringMatching(/^http\S+\.png\n$/) });
    expect(await world.imgup(upload, { env })).toEqual(first);
    for (const args of [['whoami'], ['sessions'], ['keys'], ['keys', 'create', 'x'], ['integrate', 'curl']]) {
      expect(await world.imgup(args, { env })).toEqual({
        code: 4,
        stdout: '',
        stderr:
          'imgup: An upload key only uploads; unset IMGUP_TOKEN for this, and run `imgup login` if you are not logged in.\n',
      });
    }
  });

  test.each([
    ['an empty name', ''],
    ['a name of controls', '\n\t'],
    ['a long name', 'x'.repeat(65)],
  ])('with %s is wrong usage', async (_what, name) => {
    const world = await openWithAda();
    expect(await world.imgup(['keys', 'create', name])).toEqual({
      code: 2,
      stdout: '',
      stderr: 'imgup: The name of a key has 1 to 64 characters; choose another.\n',
    });
  });

  test('says at the most how to have fewer', async () => {
    const world = await openWithAda();
    for (let count = 0; count < 50; count += 1) await create(world, `key ${count}`);
    expect(await world.imgup(['keys', 'create', 'one more'])).toMatchObject({
      code: 1,
      stdout: '',
      stderr: `imgup: You have 50 upload keys at ${SERVER}; end one that is not needed with \`imgup keys revoke\`.\n`,
    });
  });

  test('prints nothing that is not a key, whatever a server answers', async () => {
    const world = await openWithAda();
    world.network.way = rewriting((text) => text.replace(/"key":"[^"]+"/, `"key":"x'; rm -rf ~; '"`));
    expect(await world.imgup(['keys', 'create', 'blog'])).toMatchObject({ code: 1, stdout: '' });
    expect(await world.imgup(['integrate', 'curl'])).toMatchObject({ code: 1, stdout: '' });
  });
});

describe('keys', () => {
  test('are a table, the latest first, without the keys', async () => {
    const world = await openWithAda();
    const first = await create(world, 'my blog');
    world.clock.server += 60_000;
    const second = await create(world, 'desk\u001b[2J');
    expect(await uploadWith(world, first)).toBe(0);
    const { code, stdout, stderr } = await world.imgup(['keys']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout.split('\n')).toEqual([
      'ID        NAME     MADE (UTC)        LAST USED (UTC)',
      `${second.slice(6, 14)}  desk[2J  2026-01-01 12:01  never`,
      `${first.slice(6, 14)}  my blog  2026-01-01 12:00  2026-01-01 12:01`,
      '',
    ]);
    expect((await listed(world)).map(({ name }) => name)).toEqual(['desk[2J', 'my blog']);
  });

  test('say on stderr how to make one where there are none', async () => {
    const world = await openWithAda();
    expect(await world.imgup(['keys'])).toEqual({
      code: 0,
      stdout: '',
      stderr: `You have no upload key at ${SERVER}; \`imgup keys create NAME\` makes one.\n`,
    });
    expect(await listed(world)).toEqual([]);
  });

  test.each([[['keys']], [['keys', 'create', 'x']], [['keys', 'revoke', 'x']], [['integrate', 'curl']]])(
    '%j needs a log-in',
    async (args) => {
      const { imgup } = await openWorld();
      expect(await imgup(args)).toMatchObject({ code: 4, stdout: '' });
    },
  );

  test('go on after logout --all', async () => {
    const world = await openWithAda();
    const key = await create(world, 'blog');
    expect(await world.imgup(['logout', '--all'])).toMatchObject({ code: 0 });
    expect(await uploadWith(world, key)).toBe(0);
  });
});

describe('keys revoke', () => {
  test('ends a key by its name, at once, and no other', async () => {
    const world = await openWithAda();
    const [blog, desk] = [await create(world, 'my blog'), await create(world, 'desk')];
    expect(await world.imgup(['keys', 'revoke', 'my blog'])).toEqual({
      code: 0,
      stdout: '',
      stderr: `Revoked the upload key "my blog" (${blog.slice(6, 14)}) at ${SERVER}.\n`,
    });
    expect(await uploadWith(world, blog)).toBe(4);
    expect(await uploadWith(world, desk)).toBe(0);
  });

  test('ends one by the beginning of its id, in any case; --json says which', async () => {
    const world = await openWithAda();
    const key = await create(world, 'blog');
    const { code, stdout } = await world.imgup(['keys', 'revoke', key.slice(6, 14).toUpperCase(), '--json']);
    expect({ code, ...JSON.parse(stdout) }).toEqual({
      code: 0,
      server: SERVER,
      revoked: { id: key.slice(6, 22), name: 'blog' },
    });
    expect(await listed(world)).toEqual([]);
  });

  test('never guesses: of two with one name, the id says which', async () => {
    const world = await openWithAda();
    const first = await create(world, 'sharex');
    await create(world, 'sharex');
    expect(await world.imgup(['keys', 'revoke', 'sharex'])).toMatchObject({
      code: 2,
      stderr:
        'imgup: "sharex" means more than one of your upload keys; write more of the id, as `imgup keys` has it.\n',
    });
    expect(await listed(world)).toHaveLength(2);
    expect(await world.imgup(['keys', 'revoke', first.slice(6, 22)])).toMatchObject({ code: 0 });
    expect(await world.imgup(['keys', 'revoke', 'sharex'])).toMatchObject({ code: 0 });
  });

  test('says where there is none, and asks nothing for an empty name', async () => {
    const world = await openWithAda();
    world.asked();
    expect(await world.imgup(['keys', 'revoke', 'nothing'])).toMatchObject({
      code: 1,
      stderr: 'imgup: You have no upload key whose name is "nothing" or whose id begins so; `imgup keys` lists them.\n',
    });
    expect(world.asked()).toEqual(['GET /api/keys']);
    expect(await world.imgup(['keys', 'revoke', ''])).toMatchObject({ code: 2 });
    expect(world.asked()).toEqual([]);
  });
});
