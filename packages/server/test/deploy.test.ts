import { spawnSync } from 'node:child_process';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readConfig } from '@imgup/server';
import { expect, test } from 'vitest';
import { parse, parseDocument, visit, type ScalarTag } from 'yaml';
import { temporaryFolder } from './test-app.ts';

const deploy = fileURLToPath(new URL('../../../deploy/', import.meta.url));
const read = (file: string) => readFile(join(deploy, file), 'utf8');

/** CloudFormation's short forms; what they refer to is all that counts here. */
const TAGS = ['Ref', 'Sub', 'GetAtt', 'Base64', 'GetAZs', 'Select'].flatMap(
  (name): (ScalarTag | { tag: string; collection: 'seq' })[] => [
    { tag: `!${name}`, resolve: (text) => text },
    { tag: `!${name}`, collection: 'seq' },
  ],
);

/** Variables that the server asks for, whatever they hold. */
function knownVariables(): Set<string> {
  const asked = new Set<string>();
  const env = new Proxy<NodeJS.ProcessEnv>(
    {},
    {
      get(_, name) {
        asked.add(String(name));
        return undefined;
      },
    },
  );
  readConfig({ flags: {}, env });
  return asked;
}

/** Of compose.yaml alone: who fills in .env. */
const OF_COMPOSE = ['IMGUP_DOMAIN', 'IMGUP_SERVERS'];

test('every variable in deploy/ is one that the server knows', async () => {
  const known = new Set([...knownVariables(), ...OF_COMPOSE]);
  const files = await readdir(deploy, { recursive: true, withFileTypes: true });
  const unknown: string[] = [];
  for (const file of files.filter((entry) => entry.isFile())) {
    const text = await readFile(join(file.parentPath, file.name), 'utf8');
    const named = text.match(/\bIMGUP_[A-Z_]+[A-Z]\b/g) ?? [];
    unknown.push(...named.filter((name) => !known.has(name)).map((name) => `${file.name}: ${name}`));
  }
  expect(unknown).toEqual([]);
});

test('the servers of compose.yaml start with the settings that it gives them', async () => {
  const { services } = parse(await read('compose.yaml'), { merge: true }) as {
    services: Record<string, { environment: Record<string, string> }>;
  };
  const given: Record<string, string> = {
    IMGUP_DOMAIN: 'img.example.org',
    IMGUP_SECRET: '0'.repeat(64),
    POSTGRES_PASSWORD: 'secret',
  };
  const fill = (text: string) =>
    text.replaceAll(/\$\{(\w+):(?:\?|-(\w*))\}/g, (_, name: string, fallback = 'x') => given[name] ?? fallback);
  for (const name of ['imgup-1', 'imgup-2']) {
    const settings = Object.entries(services[name]?.environment ?? {});
    const env = Object.fromEntries(settings.map(([variable, text]) => [variable, fill(text)]));
    expect(readConfig({ flags: {}, env })).toMatchObject({
      publicUrl: 'https://img.example.org',
      registration: 'open',
      accounts: 'postgres://imgup:secret@postgres:5432/imgup',
      images: { bucket: 'imgup', prefix: 'pictures/', endpoint: 'http://s3:9000', pathStyle: true },
    });
  }
});

test.each(['ec2.yaml', 'ecs.yaml'])(
  '%s is YAML as CloudFormation reads it, and refers to what it has',
  async (file) => {
    const template = parseDocument(await read(`cloudformation/${file}`), { customTags: TAGS });
    expect([...template.errors, ...template.warnings]).toEqual([]);
    const { Parameters, Resources } = template.toJS() as Record<'Parameters' | 'Resources', object>;
    const known = [...Object.keys(Parameters), ...Object.keys(Resources)];
    const missing: string[] = [];
    visit(template, {
      // CloudFormation knows none, and YAML's parser does not complain.
      Alias: (_, { source }) => void missing.push(`an alias: ${source}`),
      Scalar(_, { tag, value }) {
        const text = String(value);
        const names = tag === '!Sub' ? [...text.matchAll(/\$\{(.+?)\}/g)].map(([, name = '']) => name) : [];
        if (tag === '!Ref' || tag === '!GetAtt') names.push(text);
        for (const name of names)
          if (!name.startsWith('AWS::') && !known.includes(name.split('.')[0] ?? '')) missing.push(name);
      },
    });
    expect(missing).toEqual([]);
  },
);

const hasSystemd = spawnSync('systemd-analyze', ['--version']).status === 0;

test.skipIf(!hasSystemd)(
  'systemd takes the unit, and finds it hardened (skipped without systemd-analyze)',
  async () => {
    const unit = join(await temporaryFolder(), 'imgup.service');
    // What it starts need not be installed here.
    await writeFile(unit, (await read('imgup.service')).replace('/usr/local/bin/imgup', process.execPath));
    const verify = spawnSync('systemd-analyze', ['verify', '--man=no', unit], { encoding: 'utf8' });
    expect(verify).toMatchObject({ status: 0, stderr: '' });
    // Tenths: 1.3 with what systemd 252 looks at.
    const security = spawnSync('systemd-analyze', ['security', '--offline=true', '--threshold=20', '--no-pager', unit]);
    expect(security.status).toBe(0);
  },
);
