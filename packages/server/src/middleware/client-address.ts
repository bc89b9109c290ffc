import ipaddr from 'ipaddr.js';
import type { Context } from 'hono';
import type { AppEnv } from '../app-env.ts';

export type Network = [ipaddr.IPv4 | ipaddr.IPv6, number];

/** How much of an IPv6 address is one customer's network: they choose the rest at will. */
const IPV6_NETWORK_BITS = 64;

/**
 * Who sends a request, for limits: an IPv4 address, or an IPv6 network of /64.
 *
 * X-Forwarded-For is read from its right end, and only as far as each address on the way is a proxy that is trusted:
 * what stands further left was written by whoever sent the request.
 *
 * @param trusted networks of the proxies that are trusted
 * @returns null where the app runs without a socket: embedded in another server, whose part such limits then are
 */
export function clientAddress(c: Context<AppEnv>, trusted: Network[]): string | null {
  const peer = c.env?.incoming?.socket.remoteAddress;
  const forwarded = c.req.header('X-Forwarded-For')?.split(',') ?? [];
  let client = parse(peer);
  if (client === null) return null;
  while (forwarded.length > 0 && isTrusted(client, trusted)) {
    const next = parse(withoutPort(forwarded.pop()));
    if (next === null) break;
    client = next;
  }
  if (client.kind() === 'ipv4') return client.toString();
  const network = ipaddr.IPv6.networkAddressFromCIDR(`${client.toString()}/${IPV6_NETWORK_BITS}`);
  return `${network.toString()}/${IPV6_NETWORK_BITS}`;
}

/** Whether the one who speaks to this server directly is a trusted proxy. */
export function isBehindTrustedProxy(c: Context<AppEnv>, trusted: Network[]): boolean {
  if (trusted.length === 0) return false;
  const peer = parse(c.env?.incoming?.socket.remoteAddress);
  return peer !== null && isTrusted(peer, trusted);
}

function isTrusted(address: ipaddr.IPv4 | ipaddr.IPv6, trusted: Network[]): boolean {
  return trusted.some(([network, bits]) => network.kind() === address.kind() && address.match(network, bits));
}

/** Some proxies write `203.0.113.9:1234`, and `[2001:db8::9]:1234`. */
function withoutPort(entry = ''): string {
  const [, bracketed, ipv4] = /^(?:\[(.+)\]|(\d+(?:\.\d+){3}))(?::\d+)?$/.exec(entry.trim()) ?? [];
  return bracketed ?? ipv4 ?? entry.trim();
}

/** An IPv4 address that came mapped into IPv6 is the same client as without. */
function parse(text: string | undefined): ipaddr.IPv4 | ipaddr.IPv6 | null {
  return text !== undefined && ipaddr.isValid(text) ? ipaddr.process(text) : null;
}
