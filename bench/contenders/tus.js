// Receives an upload in one request (tus' creation-with-upload) into a file: node tus.js <folder>
import { createServer } from 'node:http';
import { FileStore } from '@tus/file-store';
import { Server } from '@tus/server';

const [, , folder = ''] = process.argv;
const tus = new Server({
  path: '/upload',
  datastore: new FileStore({ directory: folder }),
  respectForwardedHeaders: false,
});
const server = createServer((request, response) => void tus.handle(request, response));
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  if (address !== null && typeof address === 'object') console.log(`http://127.0.0.1:${address.port}`);
});
