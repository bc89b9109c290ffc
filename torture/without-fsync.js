// Preloaded into a server to take its fsyncs out, to see that they are missed:
//
//     IMGUP_WITHOUT_FSYNC=files|folders|both node --import ./torture/without-fsync.js …
import fs from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';

const which = process.env['IMGUP_WITHOUT_FSYNC'];
const { open } = fs;

fs.open = async (...args) => {
  const handle = await open(...args);
  const isFolder = (await handle.stat()).isDirectory();
  if (which === 'both' || which === (isFolder ? 'folders' : 'files')) handle.sync = () => Promise.resolve();
  return handle;
};
syncBuiltinESMExports();
