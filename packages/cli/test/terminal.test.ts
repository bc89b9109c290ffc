import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { readConfig, startServer } from '@imgup/server';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { compileCli, type CliProgram } from './cli-process.ts';
import { isThere, openTerminal, quoted } from './terminal.ts';
import { PASSWORD, temporaryFolder, writePicture } from './world.ts';
import { eventually } from '../../server/test/eventually.ts';

const hasTmux = isThere('tmux', '-V');
if (!hasTmux) console.warn('skipped: a session in a real terminal; install tmux');

let program: CliProgram;
beforeAll(async () => {
  program = await compileCli();
});
afterAll(() => program.remove());

test.skipIf(!hasTmux)(
  'a person registers, uploads ten files through a limit, presses Ctrl-C, and goes on',
  { timeout: 120_000 },
  async () => {
    const folder = await temporaryFolder();
    const flags = { port: '0', data: join(folder, 'data'), 'min-free': '0', 'upload-limit': '4/8s' };
    const server = await startServer({ ...readConfig({ flags, env: {} }), passwordCost: 4 });
    onTestFinished(() => server.close());
    for (let number = 0; number < 10; number += 1) await writePicture(join(folder, `${number}.png`), number + 1);

    const { type, press, shows, screen } = await openTerminal({
      HOME: folder,
      XDG_CONFIG_HOME: join(folder, 'config'),
      IMGUP_CREDENTIAL_STORE: 'file',
      IMGUP_SERVER: server.url,
    });
    const enter = async (line: string) => {
      await type(line);
      await press('Enter');
    };
    await enter(`cd ${quoted(folder)}; imgup() { ${quoted(process.execPath)} ${quoted(program.main)} "$@"; }; clear`);
    await shows(/^ready> *$/);

    await enter('imgup register');
    await shows('Name');
    await enter('ada');
    await shows('Password of ada');
    await enter(PASSWORD);
    await shows('The same password again');
    await enter(PASSWORD);
    await shows('Registered and logged in');
    expect(await screen()).not.toContain(PASSWORD);

    await enter('clear; imgup upload *.png');
    await shows(/4 of 10 done, next in [1-8] s/);
    await shows(/8 of 10 done, next in [1-8] s/);
    await press('C-c');
    await shows(/imgup: Interrupted\. (\d+) of 10 uploaded; run the same command again for the rest\./);
    const interrupted = await screen();
    const first = links(interrupted);
    expect(interrupted).toContain(`${first.length} of 10 uploaded`);
    // Such as Node's, of listeners.
    expect(interrupted).not.toContain('Warning');

    await enter('clear; imgup upload *.png; echo "exit code $?"');
    await shows('exit code 0');
    const finished = await screen();
    expect(links(finished)).toHaveLength(10);
    expect(links(finished).slice(0, first.length)).toEqual(first);
    // The line that turned is gone, and the cursor is back.
    expect(finished).not.toMatch(/next in|[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏]/);
    expect(finished).toContain(`${10 - first.length} pictures uploaded, ${first.length} there already.`);
  },
);

test.skipIf(!hasTmux || process.platform !== 'linux')(
  'a keychain that is silent keeps nobody who wants to end the command, and no process is left',
  { timeout: 60_000 },
  async () => {
    const folder = await temporaryFolder();
    const flags = { port: '0', data: join(folder, 'data'), 'min-free': '0' };
    const server = await startServer({ ...readConfig({ flags, env: {} }), passwordCost: 4 });
    onTestFinished(() => server.close());
    const bus = createServer(() => undefined).listen(join(folder, 'bus'));
    onTestFinished(() => void bus.close());
    const asked = once(bus, 'connection');

    const { type, press, shows } = await openTerminal({
      HOME: folder,
      DBUS_SESSION_BUS_ADDRESS: `unix:path=${join(folder, 'bus')}`,
      IMGUP_CREDENTIAL_STORE: 'keychain',
      IMGUP_SERVER: server.url,
    });
    const imgup = `exec ${quoted(process.execPath)} ${quoted(program.main)} login --username ada`;
    await type(`cd ${quoted(folder)}; clear; sh -c ${quoted(`echo $$ > pid; ${imgup}`)}; echo "exit code $?"`);
    await press('Enter');
    await shows('Password of ada');
    await type(PASSWORD);
    await press('Enter');
    await asked;
    // Of the command alone: Ctrl-C would end the process that speaks to the keychain, too.
    process.kill(Number(await readFile(join(folder, 'pid'), 'utf8')), 'SIGINT');
    await shows(/imgup: Interrupted\.\n+exit code 130/);
    await eventually(async () => expect(await program.running()).toEqual([]));
  },
);

function links(screen: string): string[] {
  return screen.split('\n').filter((line) => /^http:\/\/\S+\.png$/.test(line));
}
