import { paths } from '@imgup/shared';
import { Hono } from 'hono';
import type { AppEnv } from '../app-env.ts';
import type { Route } from '../openapi/describe-api.ts';

interface OpenapiRoutesOptions {
  version: string;
  /** Those of the whole app, once it is built. */
  routes: Route[];
}

/** The description of the API for programs, made when it is first asked for. */
export function openapiRoutes({ version, routes }: OpenapiRoutesOptions) {
  let made: string | undefined;
  const make = async () => {
    const { describeApi } = await import('../openapi/describe-api.ts');
    return JSON.stringify(describeApi({ version, routes }));
  };
  return new Hono<AppEnv>().get(paths.openapi, async (c) => {
    made ??= await make();
    // Nothing in it is secret, and tools in browsers read it from elsewhere.
    const headers = { 'Content-Type': 'application/json', 'Access-Control-Allow-Origin': '*' };
    return c.body(made, 200, headers);
  });
}
