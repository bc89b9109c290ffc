import { paths, type ProblemCode } from '@imgup/shared';
import { createMiddleware } from 'hono/factory';
import { routePath } from 'hono/route';
import type { Context } from 'hono';
import type { AppEnv } from '../app-env.ts';
import type { Logger, LogLevel } from '../logger.ts';
import type { RequestMetrics } from '../request-metrics.ts';
import { createTrafficMeter, type Traffic } from '../traffic.ts';
import { clientAddress, type Network } from './client-address.ts';

interface ObserveRequestsOptions {
  logger: Logger;
  logLevel: LogLevel;
  requestMetrics: RequestMetrics;
  trustedProxies: Network[];
}

/** Whoever guesses passwords is to be found, by fail2ban say. Of all others the log keeps no address. */
const GUESSES = new Set<ProblemCode>(['wrong_credentials', 'wrong_password', 'too_many_attempts']);

/** Asked every few seconds, by programs that tell themselves where the answer is not good. */
const WATCHED = new Set<string | null>([paths.health, paths.ready, paths.metrics]);

/** No id is longer, and every token is: some people put one into a path. */
const LONGEST_PARAMETER = 64;

/**
 * Goes after `identifyRequests`. Logs and counts each request once all of its answer has gone. Never headers, bodies, queries or paths: they hold
 * tokens, passwords and links. At the level "debug" also when it begins, with what of its path the route names.
 */
export function observeRequests({ logger, logLevel, requestMetrics, trustedProxies }: ObserveRequestsOptions) {
  const takeTraffic = createTrafficMeter();

  return createMiddleware<AppEnv>(async function observeRequests(c, next) {
    const start = performance.now();
    const { method } = c.req;
    const request_id = c.var.requestId;
    const route = matchedRoute(c);
    const { incoming, outgoing } = c.env ?? {};
    // Gone from the response by the time that it has ended.
    const socket = incoming?.socket;
    const address = () => clientAddress(c, trustedProxies);
    // Nothing is gathered that nobody reads: the headers alone would cost a small request a fifth more.
    if (logLevel === 'debug') {
      const agent = c.req.header('User-Agent')?.slice(0, 100);
      logger.debug({ method, route, ...parameters(c, route), address: address(), agent, request_id }, 'request begins');
    }
    requestMetrics.begin(method, route);
    await next();
    const { status } = c.res;
    const seconds = (performance.now() - start) / 1000;
    const problem = c.var.problem ?? null;
    requestMetrics.answered({ method, route, status, problem, seconds });

    const guesser = problem !== null && GUESSES.has(problem) ? { address: address() } : {};
    const end = (traffic: Traffic | null) => {
      requestMetrics.ended(traffic);
      const fields = {
        method,
        route,
        status,
        ...(problem !== null && { problem }),
        ms: Math.round(seconds * 1000),
        ...traffic,
        ...(outgoing?.writableFinished === false && { cut: true }),
        ...(c.var.user && { user: c.var.user.username }),
        ...guesser,
        request_id,
      };
      if (WATCHED.has(route) && problem === null) logger.debug(fields, 'request');
      else logger.info(fields, 'request');
    };
    if (outgoing === undefined || socket === undefined) end(null);
    else if (outgoing.closed) end(takeTraffic(socket));
    else outgoing.once('close', () => end(takeTraffic(socket)));
  });
}

function matchedRoute(c: Context<AppEnv>): string | null {
  const path = routePath(c, -1);
  return path.endsWith('*') ? null : path;
}

/** Hono tells them to the route alone, and a request that hangs there has to be known by them. */
function parameters(c: Context<AppEnv>, route: string | null): { parameters?: Record<string, string> } {
  if (route?.includes(':') !== true) return {};
  const given = c.req.path.split('/');
  const named = route.split('/').map((part, index) => [part, given[index] ?? ''] as const);
  const all = named.filter(([part, value]) => part.startsWith(':') && value.length <= LONGEST_PARAMETER);
  return { parameters: Object.fromEntries(all.map(([part, value]) => [part.slice(1), value])) };
}
