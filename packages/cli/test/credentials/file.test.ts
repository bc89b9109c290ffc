import { once } from 'node:events';
import {
  chmod,
  mkdir,
  mkdtemp,
  readFile,
  readdir,
  rename,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createFileStore } from '../../src/credentials/file.ts';
import { credentialStoreContract } from '../contracts/credential-store.ts';
import { compileProgram } from './run-program.ts';

const before = vi.hoisted(() => ({ writing: (_text: string | null) => Promise.resolve() }));
vi.mock(import('../../src/credentials/replace-file.ts'), async (original) => {
  const { replaceFile } = await original();
  return {
    replaceFile: async (...args) => {
      await before.writing(args[1]);
      return replaceFile(...args);
    },
  };
});

let home: string;
let directory: string;
let path: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'imgup-file-'));
  directory = join(home, 'config', 'imgup');
  path = join(directory, 'credentials.json');
});
afterEach(() => rm(home, { recursive: true, force: true }));

const modeOf = async (file: string): Promise<number> => (await stat(file)).mode & 0o777;

describe('file store', () => {
  credentialStoreContract(async () => createFileStore({ directory }));

  it('reading makes no file and no folder', async () => {
    expect(await createFileStore({ directory }).getPassword('imgup', 'ada')).toBeNull();
    expect(await readdir(home)).toEqual([]);
  });

  it('another process sees what was stored', async () => {
    await createFileStore({ directory }).setPassword('imgup', 'ada', 'secret');

    expect(await createFileStore({ directory }).getPassword('imgup', 'ada')).toBe('secret');
  });

  it('a full disk is said to be full, and still lets the last record go', async () => {
    const store = createFileStore({ directory });
    await store.setPassword('imgup', 'ada', 'secret');
    const { writing } = before;
    before.writing = (text) => {
      const full = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
      return text === null ? Promise.resolve() : Promise.reject(full);
    };
    try {
      await expect(store.setPassword('imgup', 'ada', 'longer secret')).rejects.toMatchObject({
        code: 'write-refused',
        message: `The disk has no room for the credential file ${path} (ENOSPC); make room there and try again.`,
      });
      expect(await store.deletePassword('imgup', 'ada')).toBe(true);
    } finally {
      before.writing = writing;
    }
    expect(await readdir(directory)).toEqual(['credentials.lock']);
    expect(await store.getPassword('imgup', 'ada')).toBeNull();
  });

  it('a damaged file is an error and stays as it is', async () => {
    await mkdir(directory, { recursive: true });
    const store = createFileStore({ directory });
    for (const damaged of [
      '',
      '{"version":1,"records":[{"servi',
      '[]',
      'null',
      '{"version":2}',
      '{"version":1,"records":[{}]}',
    ]) {
      await writeFile(path, damaged, { mode: 0o600 });
      for (const work of [
        () => store.getPassword('imgup', 'ada'),
        () => store.setPassword('imgup', 'ada', 'secret'),
        () => store.deletePassword('imgup', 'ada'),
        () => store.findCredentials('imgup'),
      ]) {
        await expect(work()).rejects.toMatchObject({
          name: 'CredentialStoreError',
          code: 'damaged',
          message: expect.stringMatching(/credentials\.json is damaged .*; move it away and log in again\.$/),
        });
      }
      expect(await readFile(path, 'utf8')).toBe(damaged);
    }
  });
});

describe.skipIf(process.platform === 'win32')('file store, private to its user', () => {
  it('every file is 0600 in a folder of 0700, whatever the umask', async () => {
    const before = process.umask(0);
    try {
      await createFileStore({ directory }).setPassword('imgup', 'ada', 'secret');
      await createFileStore({ directory }).setPassword('imgup', 'ada', 'again');
    } finally {
      process.umask(before);
    }

    expect(await modeOf(directory)).toBe(0o700);
    const names = await readdir(directory);
    expect(names).toContain('credentials.json');
    for (const name of names) expect([name, await modeOf(join(directory, name))]).toEqual([name, 0o600]);
  });

  it('a folder that others can enter is narrowed', async () => {
    await mkdir(directory, { recursive: true });
    await chmod(directory, 0o777);
    await createFileStore({ directory }).setPassword('imgup', 'ada', 'secret');

    expect(await modeOf(directory)).toBe(0o700);
  });

  it.each([0o640, 0o604, 0o620, 0o666])('a file of mode %o is refused, and neither read nor changed', async (mode) => {
    const store = createFileStore({ directory });
    await store.setPassword('imgup', 'ada', 'secret');
    await chmod(path, mode);
    const content = await readFile(path, 'utf8');

    const refused = {
      code: 'not-private',
      message: expect.stringMatching(/can be read by, or belongs to, another user.*; run "chmod 600" .*\.$/),
    };
    await expect(store.getPassword('imgup', 'ada')).rejects.toMatchObject(refused);
    await expect(store.setPassword('imgup', 'ada', 'new')).rejects.toMatchObject(refused);
    expect(await readFile(path, 'utf8')).toBe(content);
    expect(await modeOf(path)).toBe(mode);

    await chmod(path, 0o600);
    expect(await store.getPassword('imgup', 'ada')).toBe('secret');
  });

  it('a symbolic link in place of the file is refused, and its target is left alone', async () => {
    const store = createFileStore({ directory });
    await store.setPassword('imgup', 'ada', 'secret');
    const target = join(home, 'elsewhere.json');
    await rename(path, target);
    await symlink(target, path);
    const content = await readFile(target, 'utf8');

    const refused = {
      code: 'not-private',
      message: expect.stringMatching(/is a symbolic link.*; remove the link .*\.$/),
    };
    await expect(store.getPassword('imgup', 'ada')).rejects.toMatchObject(refused);
    await expect(store.setPassword('imgup', 'ada', 'new')).rejects.toMatchObject(refused);
    expect(await readFile(target, 'utf8')).toBe(content);
  });

  it('a symbolic link to nowhere is refused too, and nothing is made there', async () => {
    await mkdir(directory, { recursive: true });
    await symlink(join(home, 'nowhere'), path);

    await expect(createFileStore({ directory }).setPassword('imgup', 'ada', 'x')).rejects.toMatchObject({
      code: 'not-private',
    });
    expect(await readdir(home)).toEqual(['config']);
  });

  it('a symbolic link in place of the folder is refused', async () => {
    const target = join(home, 'elsewhere');
    await createFileStore({ directory: target }).setPassword('imgup', 'ada', 'secret');
    const store = createFileStore({ directory: join(home, 'link') });
    await symlink(target, join(home, 'link'));

    const refused = { code: 'not-private', message: expect.stringMatching(/is a symbolic link/) };
    await expect(store.getPassword('imgup', 'ada')).rejects.toMatchObject(refused);
    await expect(store.setPassword('imgup', 'ada', 'new')).rejects.toMatchObject(refused);
  });

  it('a file in place of the folder is a sentence, not a stack', async () => {
    await writeFile(join(home, 'taken'), '');

    await expect(
      createFileStore({ directory: join(home, 'taken') }).setPassword('imgup', 'ada', 'x'),
    ).rejects.toMatchObject({
      code: 'write-refused',
      message: expect.stringMatching(/cannot be used \(.+\); make it and its folder readable and writable for you\.$/),
    });
  });
});

describe('file store between processes', { timeout: 60_000 }, () => {
  const PROGRAM = `
    import { createFileStore } from './file.ts';
    const [directory, name, rounds] = process.argv.slice(2);
    const store = createFileStore({ directory });
    for (let round = 0; round < Number(rounds); round++) {
      await store.setPassword('imgup', name, 'secret ' + round);
      if (round === 0) console.log('stored');
    }`;

  it('20 processes that store at once lose nothing of each other', async () => {
    const program = await compileProgram(PROGRAM);
    const names = Array.from({ length: 20 }, (_, index) => `user-${String(index).padStart(2, '0')}`);
    const processes = names.map((name) => program.start([directory, name, '5']));
    const exits = await Promise.all(processes.map((each) => once(each, 'exit')));
    await program.remove();

    expect(exits.map(([code]) => code as number)).toEqual(names.map(() => 0));
    const found = await createFileStore({ directory }).findCredentials('imgup');
    expect(found.toSorted((a, b) => a.account.localeCompare(b.account))).toEqual(
      names.map((account) => ({ account, password: 'secret 4' })),
    );
  });

  it('a process that was stopped, and stepped over, does not write back what was there before', async () => {
    const store = createFileStore({ directory });
    await store.setPassword('imgup', 'ada', 'old');
    const records = [{ service: 'imgup', account: 'ada', password: 'new' }];
    before.writing = async () => {
      before.writing = () => Promise.resolve();
      await writeFile(path, JSON.stringify({ version: 1, records }));
    };
    await store.setPassword('imgup', 'bob', 'secret');
    expect(await store.findCredentials('imgup')).toEqual([
      { account: 'ada', password: 'new' },
      { account: 'bob', password: 'secret' },
    ]);
    expect(await readdir(directory)).toEqual(['credentials.json', 'credentials.lock']);
  });

  it('a process killed in the middle of writing leaves a whole file, and what it had stored', async () => {
    const program = await compileProgram(PROGRAM);
    for (let round = 0; round < 10; round++) {
      const writer = program.start([directory, `user-${round}`, '1000000']);
      await once(writer.stdout, 'data');
      writer.kill('SIGKILL');
      await once(writer, 'exit');

      const found = await createFileStore({ directory }).findCredentials('imgup');
      expect(found).toHaveLength(round + 1);
      await createFileStore({ directory }).setPassword('other', 'ada', 'not kept waiting');
    }
    await program.remove();
  });

  it('what a killed process left half-written is swept away later', async () => {
    const store = createFileStore({ directory });
    await store.setPassword('imgup', 'ada', 'secret');
    const leftover = `${path}.000000000000.tmp`;
    await writeFile(leftover, 'half a secr');
    await store.setPassword('imgup', 'ada', 'secret');
    expect(await readdir(directory)).toContain('credentials.json.000000000000.tmp'); // it may be a write under way

    await utimes(leftover, 0, 0);
    await store.setPassword('imgup', 'ada', 'secret');
    expect(await readdir(directory)).not.toContain('credentials.json.000000000000.tmp');
  });
});
