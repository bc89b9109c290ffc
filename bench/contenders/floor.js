// What a server on Node that receives as imgup does can hardly be faster than: the body to a file, by chunks of 256 KB, its
// SHA-256, one fsync, and nothing else. node floor.js <folder>
import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';

const GATHER_BYTES = 256 * 1024;

const [, , folder = ''] = process.argv;
let count = 0;

/** @param {import('node:http').IncomingMessage} request @param {import('node:http').ServerResponse} response */
async function receive(request, response) {
  const file = await open(join(folder, 'upload', `${(count += 1)}`), 'wx', 0o600);
  const hash = createHash('sha256');
  /** @type {Buffer[]} */
  let gathered = [];
  let bytes = 0;
  const flush = async () => {
    const chunks = gathered;
    [gathered, bytes] = [[], 0];
    await file.writev(chunks);
  };
  for await (const chunk of request) {
    hash.update(chunk);
    gathered.push(chunk);
    bytes += chunk.length;
    if (bytes >= GATHER_BYTES) await flush();
  }
  if (bytes > 0) await flush();
  await file.sync();
  await file.close();
  response.writeHead(201, { 'Content-Type': 'application/json' });
  response.end(JSON.stringify({ sha256: hash.digest('hex') }));
}

const server = createServer((request, response) => void receive(request, response));
server.listen(0, '127.0.0.1', () => {
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  console.log(`http://127.0.0.1:${port}`);
});
