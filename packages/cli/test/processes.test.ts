import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readConfig, startServer } from '@imgup/server';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { SessionRecord } from '../src/api/session-record.ts';
import { compileCli, untilAtTheLock, type CliProgram, type RunningCommand } from './cli-process.ts';
import { openGate, type Answer, type Passing } from './gate.ts';
import { PASSWORD, temporaryFolder } from './world.ts';

const REFRESH = 'POST /api/token/refresh';
const ME = 'GET /api/me';
const SECOND = 1_000;
const HOUR = 3_600 * SECOND;

let program: CliProgram;
beforeAll(async () => {
  program = await compileCli();
});
afterAll(() => program.remove());

/** A server, a gate in front of it, and ada, who is logged in there with her tokens in a file. */
async function open() {
  const folder = await temporaryFolder();
  const clock = { ahead: 0 };
  const flags = { port: '0', data: join(folder, 'data'), 'min-free': '0' };
  const server = await startServer({
    ...readConfig({ flags, env: {} }),
    passwordCost: 4,
    now: () => Date.now() + clock.ahead,
  });
  const gate = await openGate(server.url);
  onTestFinished(() => server.close());
  const env = {
    ...process.env,
    HOME: folder,
    XDG_CONFIG_HOME: join(folder, 'config'),
    IMGUP_CREDENTIAL_STORE: 'file',
    IMGUP_SERVER: gate.origin,
    IMGUP_TOKEN: undefined,
  };
  const start = (args: string[], stdin = ''): RunningCommand => {
    const command = program.start(args, env, { stdin });
    onTestFinished(() => void command.child.kill('SIGKILL'));
    return command;
  };
  const imgup = (args: string[], stdin = '') => start(args, stdin).ended;
  const path = join(folder, 'config', 'imgup', 'credentials.json');

  /** The records, each of which `change` may change. */
  async function records(change: (record: SessionRecord) => SessionRecord = (same) => same): Promise<SessionRecord[]> {
    const file = JSON.parse(await readFile(path, 'utf8')) as { records: { password: string }[] };
    const changed = file.records.map(({ password }) => change(JSON.parse(password) as SessionRecord));
    for (const [index, stored] of file.records.entries()) stored.password = JSON.stringify(changed[index]);
    await writeFile(path, JSON.stringify(file));
    return changed;
  }

  const registered = await imgup(['register', '--username', 'ada', '--password-stdin'], `${PASSWORD}\n`);
  expect(registered).toMatchObject({ code: 0 });
  gate.asked.length = 0;
  return {
    gate,
    clock,
    start,
    imgup,
    records,
    /** Lets the access token expire, as the server sees it and as the client does. */
    async expire(): Promise<void> {
      clock.ahead += HOUR;
      await records((record) => ({ ...record, access_expires: 0 }));
    },
  };
}

function promise(): { done: Promise<void>; resolve: () => void } {
  let resolve = () => {};
  const done = new Promise<void>((settle) => (resolve = settle));
  return { done, resolve };
}

describe.runIf(process.platform === 'linux')('ten processes at once, whose access token has expired', () => {
  test('wait for the one that refreshes, and all succeed', async () => {
    const { gate, start, expire } = await open();
    await expire();
    const { done: allWait, resolve } = promise();
    gate.way = async (passing) => {
      if (passing.what === REFRESH) await allWait;
      return passing.forward();
    };
    const commands = Array.from({ length: 10 }, () => start(['whoami']));
    await Promise.all(commands.map(({ pid }) => untilAtTheLock(pid)));
    resolve();
    const codes = await Promise.all(commands.map(async ({ ended }) => (await ended).code));
    expect(codes).toEqual(commands.map(() => 0));
    expect(gate.count(REFRESH)).toBe(1);
  });

  test('and who are told so by the server alone, refresh once too', async () => {
    const { gate, start, clock } = await open();
    clock.ahead += HOUR;
    const { done: allHaveAsked, resolve } = promise();
    gate.way = async (passing) => {
      if (gate.count(ME) === 10) resolve();
      if (passing.what === ME) await allHaveAsked;
      return passing.forward();
    };
    const commands = Array.from({ length: 10 }, () => start(['whoami']));
    const codes = await Promise.all(commands.map(async ({ ended }) => (await ended).code));
    expect(codes).toEqual(commands.map(() => 0));
    expect(gate.count(REFRESH)).toBe(1);
  });
});

describe('SIGKILL', () => {
  const points: [string, (passing: Passing, kill: () => Promise<void>) => Promise<Answer | null>][] = [
    [
      'before its request for a refresh has arrived',
      async ({ what, forward }, kill) => {
        if (what !== REFRESH) return forward();
        await kill();
        return null;
      },
    ],
    [
      'after the server has rotated, and before the answer is there to be stored',
      async ({ what, forward }, kill) => {
        const answer = await forward();
        if (what === REFRESH) await kill();
        return answer;
      },
    ],
    [
      'after the new tokens are stored, and before they are used',
      async ({ what, forward }, kill) => {
        if (what === ME) await kill();
        return what === ME ? null : forward();
      },
    ],
    [
      'after the new tokens are used',
      async ({ what, forward }, kill) => {
        const answer = await forward();
        if (what === ME) await kill();
        return answer;
      },
    ],
  ];

  test.each(points)('%s leaves a credential that works, at once and later', async (_when, way) => {
    const { gate, start, imgup, expire, clock } = await open();
    for (const later of [0, 31 * SECOND, 24 * HOUR]) {
      await expire();
      // Twice, since the second has to live with what the first has left.
      for (let time = 1; time <= 2; time += 1) {
        const command = start(['whoami']);
        gate.way = (passing) =>
          way(passing, async () => {
            command.child.kill('SIGKILL');
            await command.ended;
          });
        expect(await command.ended).toMatchObject({ code: 'SIGKILL' });
      }
      gate.way = ({ forward }) => forward();
      clock.ahead += later;
      // Under the time that a lock is waited for, so the killed process holds none.
      expect(await imgup(['whoami'])).toMatchObject({ code: 0, stderr: '' });
    }
  });
});

describe.runIf(process.platform === 'linux')('logging out', () => {
  test('waits for another process that refreshes, whose tokens do not come back', async () => {
    const { gate, start, records, expire, imgup } = await open();
    await expire();
    let seen: string[] = [];
    let loggingOut: RunningCommand | undefined;
    gate.way = async ({ what, forward }) => {
      if (what !== REFRESH) return forward();
      loggingOut = start(['logout']);
      await untilAtTheLock(loggingOut.pid);
      seen = [...gate.asked];
      return forward();
    };
    const refreshing = start(['whoami']);
    await refreshing.ended;
    expect(seen).toEqual([REFRESH]);
    expect(await loggingOut?.ended).toMatchObject({ code: 0 });
    await expect(records()).rejects.toMatchObject({ code: 'ENOENT' });
    expect(await imgup(['whoami'])).toMatchObject({ code: 4 });
  });
});

describe('over a real socket', () => {
  test('no credential follows a redirect to another origin', async () => {
    const { gate, imgup, expire } = await open();
    const other = await openGate(gate.origin);
    gate.way = async () => ({ status: 307, headers: { location: `${other.origin}/api/me` }, body: Buffer.alloc(0) });
    const redirected = {
      code: 1,
      stdout: '',
      stderr: `imgup: ${gate.origin} sends requests on to ${other.origin}; if you trust it, use --server ${other.origin}.\n`,
    };
    expect(await imgup(['whoami'])).toMatchObject(redirected);
    await expire();
    expect(await imgup(['whoami'])).toMatchObject(redirected);
    expect(gate.asked).toEqual([ME, REFRESH]);
    expect(other.asked).toEqual([]);
  });

  test('a refresh that the server answers by cutting the line, 429 or 503 deletes nothing', async () => {
    const { gate, imgup, records, expire } = await open();
    await expire();
    const before = await records();
    const problem = (status: number, code: string): Answer => ({
      status,
      headers: { 'content-type': 'application/problem+json', 'retry-after': '7' },
      body: Buffer.from(JSON.stringify({ type: 'urn:x', title: 'x', status, detail: 'Later.', code })),
    });
    for (const [answer, code] of [
      [null, 7],
      [problem(429, 'too_many_attempts'), 1],
      [problem(503, 'server_busy'), 1],
    ] as const) {
      gate.way = async () => answer;
      expect(await imgup(['whoami'])).toMatchObject({ code, stdout: '' });
    }
    expect(await records()).toEqual(before);
    gate.way = ({ forward }) => forward();
    expect(await imgup(['whoami'])).toMatchObject({ code: 0 });
  });
});
