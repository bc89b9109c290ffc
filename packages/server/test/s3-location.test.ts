import { describe, expect, test } from 'vitest';
import { readConfig } from '@imgup/server';
import { parseS3Location } from '../src/adapters/s3/s3-location.ts';

const AWS = { bucket: 'pictures', prefix: '', endpoint: null, region: null, pathStyle: false };

describe('the place of pictures on an S3 store', () => {
  test.each([
    ['s3://pictures', {}],
    ['s3://pictures/', {}],
    ['s3://pictures/imgup', { prefix: 'imgup/' }],
    ['s3://pictures/a/b/', { prefix: 'a/b/' }],
    ['s3://pictures?region=eu-central-1', { region: 'eu-central-1' }],
    ['s3://my.pictures-1', { bucket: 'my.pictures-1' }],
    [
      's3://pictures/imgup?endpoint=http://127.0.0.1:9000&path-style=true',
      { prefix: 'imgup/', endpoint: 'http://127.0.0.1:9000', region: 'us-east-1', pathStyle: true },
    ],
    ['s3://pictures?endpoint=https://s3.example.org&region=nl', { endpoint: 'https://s3.example.org', region: 'nl' }],
  ])('%s', (text, parts) => {
    expect(parseS3Location(text)).toEqual({ ...AWS, ...parts });
  });

  test.each([
    'pictures',
    's3://',
    's3:///prefix',
    's3://A_B',
    'https://pictures',
    's3://pictures/a b',
    's3://pictures//a//b',
    's3://pictures?acl=public',
    's3://pictures?endpoint=s3.example.org',
    's3://pictures?endpoint=https://s3.example.org/path',
    's3://pictures?path-style=yes',
    's3://pictures?region=',
    's3://key:secret@pictures',
    's3://pictures#fragment',
  ])('is not %s', (text) => {
    expect(() => readConfig({ flags: { images: text }, env: {} })).toThrow(
      '--images must be an S3 store such as s3://',
    );
  });

  test.each(['s3://AKIA:hunter2@pictures', 's3://pictures?secret=hunter2&region=eu', 's3://pictures?secret=hunter2'])(
    'does not show the secret in %s, which has no place there',
    (text) => {
      const read = () => readConfig({ flags: {}, env: { IMGUP_IMAGES: text } });
      expect(read).toThrow('IMGUP_IMAGES must be');
      expect(read).not.toThrow('hunter2');
    },
  );

  test('is needed by redirects', () => {
    const flags = { 'serve-images': 'redirect' };
    const message = '--serve-images must be "stream", or "redirect" with pictures on an S3 store (--images)';
    expect(() => readConfig({ flags, env: {} })).toThrow(message);
    expect(readConfig({ flags, env: { IMGUP_IMAGES: 's3://pictures' } })).toMatchObject({ serveImages: 'redirect' });
    expect(readConfig({ flags: {}, env: {} })).toMatchObject({ images: null, serveImages: 'stream' });
  });
});
