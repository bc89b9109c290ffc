import { createLogger } from '@imgup/server';
import { expect, test } from 'vitest';
import { openWorld } from './world.ts';

test('what is the fault of the server is shown with the id that its log has, and the rest without', async () => {
  interface Line {
    request_id?: string;
    problem?: string;
  }
  const lines: Line[] = [];
  const logger = createLogger('info', {
    write(line: string) {
      lines.push(JSON.parse(line) as Line);
      return true;
    },
  });
  const world = await openWorld({ logger, minFree: 2 ** 60 });
  await world.register();
  const { code, stderr } = await world.imgup(['upload', await world.picture(), '--json']);
  expect(code).toBe(1);
  const id = lines.find(({ problem }) => problem === 'storage_full')?.request_id;
  expect(id).toMatch(/^[0-9a-f]{16}$/);
  expect(stderr).toContain(`tell its administrator (request ${id}).`);
  const refused = await world.imgup(['login', '--username', 'ada', '--password-stdin'], { stdin: 'wrong\n' });
  expect(refused.stderr).not.toContain('request');
});

test('--debug shows the id of each request', async () => {
  const world = await openWorld();
  await world.register();
  const { stderr } = await world.imgup(['whoami', '--debug']);
  expect(stderr).toMatch(/^< x-request-id: [0-9a-f]{16}$/m);
});

test('an id that is none is not shown', async () => {
  const world = await openWorld();
  await world.register();
  world.network.way = async (request, next) => {
    const answer = await next(request);
    return { ...answer, headers: { ...answer.headers, 'x-request-id': '\u001B[31mrun this: rm' } };
  };
  await world.app.close();
  const { stderr } = await world.imgup(['whoami']);
  expect(stderr).toContain('cannot do this just now');
  expect(stderr).not.toContain('rm');
});
