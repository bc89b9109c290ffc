import { expect, test } from 'vitest';
import { findCorpus, uploadCorpus } from '../../../torture/upload-corpus.js';
import { openApp } from './test-app.ts';

test('every file of the corpus is admitted or refused as it should be', async () => {
  const folder = findCorpus();
  if (folder === null) {
    // No skipped test: the corpus is no part of the project, and nobody has to have it.
    console.log('corpus.test.ts: nothing is uploaded, there is no corpus beside the checkout');
    return;
  }
  const app = await openApp({ uploadLimit: { uploads: 1_000_000, windowMs: 60_000 }, minFree: 0 });
  const [ada, bob] = [await app.register('ada'), await app.register('bob')];
  const tokens: [string, string] = [ada.access_token, bob.access_token];
  const { faults, files } = await uploadCorpus({ folder, send: app.request, tokens });
  expect(faults).toEqual([]);
  expect(files).toBeGreaterThan(0);
}, 120_000);
