// One imgup server in a process of its own, so that its memory is its own: node server.js '{"data":…,"flags":{…}}'
import { readConfig, startServer } from '@imgup/server';

/** @type {{ data: string, passwordCost?: number, flags?: Record<string, string>, secret?: string }} */
const { data, passwordCost = 4, flags, secret } = JSON.parse(process.argv[2] ?? '{}');
const unlimited = { 'upload-limit': '999999/1s', 'login-limit': '100000/1s', 'min-free': '0', 'log-level': 'silent' };
const config = readConfig({
  flags: { data, port: '0', ...unlimited, ...flags },
  env: secret === undefined ? {} : { IMGUP_SECRET: secret },
});
const server = await startServer({ ...config, passwordCost });
console.log(server.url);
