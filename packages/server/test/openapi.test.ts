import { Validator } from '@seriousme/openapi-schema-validator';
import { paths } from '@imgup/shared';
import { expect, test } from 'vitest';
import { describeApi } from '../src/openapi/describe-api.ts';
import { operations } from '../src/openapi/operations.ts';
import { openApp } from './test-app.ts';

interface Document {
  openapi: string;
  info: { version: string };
  paths: Record<string, Record<string, { security: object[]; responses: object }>>;
}

async function documentOf(): Promise<Document> {
  const app = await openApp();
  const answer = await app.request('/openapi.json');
  expect(answer.headers.get('content-type')).toBe('application/json');
  return (await answer.json()) as Document;
}

test('the description is valid OpenAPI 3.1, and all that it refers to is there', async () => {
  const document = await documentOf();
  const validator = new Validator();
  expect(await validator.validate({ ...document })).toEqual({ valid: true });
  expect(validator.version).toBe('3.1');
  expect(() => validator.resolveRefs()).not.toThrow();
  for (const [, name] of JSON.stringify(document).matchAll(/#\/components\/schemas\/(\w+)/g)) {
    expect(document).toHaveProperty(['components', 'schemas', name ?? '']);
  }
});

test('each path of the API is in it with the methods that it has, and no other is', async () => {
  const app = await openApp();
  const document = await documentOf();
  const described = Object.entries(document.paths).map(([path, methods]) => [
    path,
    Object.keys(methods)
      .filter((method) => method !== 'head')
      .map((method) => method.toUpperCase())
      .toSorted(),
  ]);
  const served = await Promise.all(
    Object.values(paths).map(async (path) => {
      const answer = await app.request(path.replaceAll(/:\w+/g, 'x'), { method: 'PATCH' });
      const methods = (answer.headers.get('allow') ?? '').split(', ').filter((method) => method !== 'HEAD');
      return [path.replaceAll(/:(\w+)/g, '{$1}'), methods];
    }),
  );
  expect(described.toSorted()).toEqual(served.toSorted());
});

test('a route without a description, and a description without a route, are found', () => {
  const routes = Object.keys(operations).map((key) => {
    const [method = '', path = ''] = key.split(' ');
    return { method, path };
  });
  const describe = (some: typeof routes) => () => describeApi({ version: '1.0.0', routes: some });
  expect(describe(routes)).not.toThrow();
  expect(describe([...routes, { method: 'GET', path: '/api/new' }])).toThrow('does not describe GET /api/new');
  expect(describe(routes.slice(1))).toThrow('is no route');
});

test('what is refused without a token is described so, and nothing else', async () => {
  const app = await openApp();
  const document = await documentOf();
  for (const [path, methods] of Object.entries(document.paths)) {
    if (path === '/metrics') continue;
    for (const [method, { security }] of Object.entries(methods)) {
      const answer = await app.request(path.replaceAll(/\{\w+\}/g, 'x'), { method: method.toUpperCase() });
      expect([method, path, answer.status === 401]).toEqual([method, path, security.length > 0]);
    }
  }
});
