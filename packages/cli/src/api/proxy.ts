import { usageError } from '../errors.ts';
import { isLoopback } from './server-origin.ts';

/** The usual variables, as they were found; empty ones count as absent. */
export interface ProxySettings {
  http: string | undefined;
  https: string | undefined;
  all: string | undefined;
  /** Hosts, domains and `host:port` that are reached without the proxy, between commas or spaces; `*` for every one. */
  no: string | undefined;
}

/**
 * The proxy that a server is reached through, or null.
 *
 * Errors: `CliError` (usage), which names the variable and not what is in it, since that may be a password.
 *
 * This machine is never reached through one, as in Go: that would hand a password meant for loopback to the network.
 */
export function proxyFor(origin: string, { http, https, all, no }: ProxySettings): string | null {
  const url = new URL(origin);
  const [variable, own] = url.protocol === 'https:' ? ['https_proxy', https] : ['http_proxy', http];
  const proxy = own || all;
  if (proxy === undefined || proxy === '') return null;
  if (isLoopback(url.hostname)) return null;
  const port = url.port || (url.protocol === 'https:' ? '443' : '80');
  const exempt = (no ?? '').split(/[\s,]+/).some((entry) => covers(entry, url.hostname, port));
  if (exempt) return null;
  const address = proxy.includes('://') ? proxy : `http://${proxy}`;
  if (!isProxy(address)) {
    throw usageError(
      `${own ? variable : 'all_proxy'} does not hold the address of a proxy; write it like http://proxy.example.org:3128.`,
    );
  }
  return address;
}

/** A proxy as people may see it: without its name and password. */
export function shownProxy(proxy: string): string {
  const { protocol, host } = new URL(proxy);
  return `${protocol}//${host}`;
}

function isProxy(address: string): boolean {
  if (!URL.canParse(address)) return false;
  const { protocol, hostname, username, password } = new URL(address);
  try {
    decodeURIComponent(username + password);
  } catch {
    return false;
  }
  return PROTOCOLS.has(protocol) && hostname !== '';
}

const PROTOCOLS = new Set(['http:', 'https:', 'socks5:', 'socks:']);

function covers(entry: string, hostname: string, port: string): boolean {
  if (entry === '') return false;
  if (entry === '*') return true;
  const [, host = entry, onPort] = /^(\[.+\]|[^:]+):(\d+)$/.exec(entry) ?? [];
  if (onPort !== undefined && onPort !== port) return false;
  const domain = host.replace(/^\*?\./, '').toLowerCase();
  return hostname === domain || hostname.endsWith(`.${domain}`);
}
