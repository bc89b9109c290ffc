// One server in a process of its own, so that its memory is its own: node server.js <data folder>
import { readConfig, startServer } from '@imgup/server';

const [, , data] = process.argv;
const flags = { data, port: '0', 'upload-limit': '100000/1s', 'login-limit': '100000/1s', 'log-level': 'silent' };
// Cheap passwords: what is measured here are pictures.
const server = await startServer({ ...readConfig({ flags, env: {} }), passwordCost: 4 });
console.log(server.url);
