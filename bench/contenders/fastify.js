// Receives a multipart upload into a file, and does nothing else: node fastify.js <folder>
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import multipart from '@fastify/multipart';
import Fastify from 'fastify';

const [, , folder = ''] = process.argv;
const app = Fastify({ bodyLimit: 64 * 1024 * 1024 });
await app.register(multipart, { limits: { fileSize: 64 * 1024 * 1024 } });
let count = 0;
app.post('/upload', async (request, reply) => {
  const part = await request.file();
  if (part === undefined) return reply.code(400).send();
  await pipeline(part.file, createWriteStream(join(folder, `${(count += 1)}`)));
  return reply.code(201).send({ name: part.filename });
});
console.log(await app.listen({ port: 0, host: '127.0.0.1' }));
