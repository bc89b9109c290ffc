import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { compileCli } from './cli-process.ts';
import { temporaryFolder } from './world.ts';

const run = promisify(execFile);

test('a certificate of an own authority is refused, and taken where NODE_EXTRA_CA_CERTS names it', async () => {
  const folder = await temporaryFolder();
  const [key, certificate] = [join(folder, 'key.pem'), join(folder, 'certificate.pem')];
  const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
  await run('openssl', [
    'req',
    '-x509',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-keyout',
    key,
    '-out',
    certificate,
    ...names,
  ]);
  const server = createServer({ key: await readFile(key), cert: await readFile(certificate) }, (_request, response) => {
    response.writeHead(401, { 'Content-Type': 'application/problem+json' });
    response.end('{"type":"about:blank","title":"No","status":401,"code":"token_invalid","detail":"No."}');
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const cli = await compileCli();
  onTestFinished(async () => {
    server.close();
    await cli.remove();
  });
  const env = {
    PATH: process.env['PATH'],
    XDG_CONFIG_HOME: folder,
    IMGUP_TOKEN: 'x.y.z',
    IMGUP_SERVER: `https://localhost:${(server.address() as AddressInfo).port}`,
  };
  const refused = await cli.start(['whoami'], env).ended;
  expect(refused).toMatchObject({ code: 7, stdout: '', stderr: expect.stringContaining('certificate') as string });
  const taken = await cli.start(['whoami'], { ...env, NODE_EXTRA_CA_CERTS: certificate }).ended;
  expect(taken).toMatchObject({ code: 4, stdout: '', stderr: expect.stringContaining('refuses the token') as string });
});
