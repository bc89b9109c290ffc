import { expect, test } from 'vitest';
import { recognisePicture } from '../src/services/recognise-picture.ts';
import { makePicture } from './pictures.ts';
import { openApp, problemOf } from './test-app.ts';

const SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>';

test.each([
  SVG,
  `\uFEFF\n${SVG}`,
  `<?xml version="1.0"?><!DOCTYPE s [<!ENTITY x SYSTEM "file:///etc/hostname">]>${SVG}`,
  `<!-- made by hand -->\n${SVG}`,
  '<s:svg xmlns:s="http://www.w3.org/2000/svg"></s:svg>',
])('%s is an SVG', async (text) => {
  expect(await recognisePicture(Buffer.from(text))).toEqual({ type: null, found: 'SVG (image/svg+xml)' });
});

test.each([
  ['<?xml version="1.0"?><rss/>', 'application/xml'],
  [`a page that tells of ${SVG}`, null],
  ['', null],
])('%s is none', async (text, found) => {
  expect(await recognisePicture(Buffer.from(text))).toEqual({ type: null, found });
});

test('who sends an SVG is told that it is one, and what is accepted', async () => {
  const app = await openApp();
  const { access_token } = await app.register('ada');
  const { status, detail } = await problemOf(await app.upload(access_token, SVG, { 'Content-Type': 'image/svg+xml' }));
  expect([status, detail]).toEqual([415, 'This is SVG (image/svg+xml); accepted are PNG, JPEG, GIF, WebP, AVIF.']);
  expect((await app.upload(access_token, await makePicture())).status).toBe(201);
});
