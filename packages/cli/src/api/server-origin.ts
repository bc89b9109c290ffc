import { usageError } from '../errors.ts';

/**
 * Checks the address of a server and brings it to the form that credentials are kept under: `https://host[:port]`.
 * Errors: `CliError` (usage), which says where the address came from.
 *
 * @param source what the person wrote it in: "--server", "IMGUP_SERVER", ...
 */
export function parseOrigin(address: string, source: string): string {
  const example = 'write it like https://img.example.org';
  const url = URL.canParse(address) ? new URL(address) : null;
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    // "ada:secret@host" is no address, and what stands before the last "@" may be a password.
    const shown = address.replace(/^([a-z][a-z0-9+.-]*:\/\/)?.*@/is, '$1[hidden]@');
    throw usageError(`"${shown}" in ${source} is not the address of a server; ${example}.`);
  }
  if (url.username !== '' || url.password !== '') {
    throw usageError(
      `The address in ${source} must not hold a name or a password; ${example}, and run \`imgup login\`.`,
    );
  }
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '') {
    throw usageError(`The address in ${source} must end after the host and the port; ${example}.`);
  }
  return url.origin;
}

/** Refuses to send passwords and tokens where others on the way could read them. Errors: `CliError` (usage). */
export function requirePrivateWay(origin: string, insecureHttp: boolean): void {
  const { protocol, hostname } = new URL(origin);
  if (protocol === 'https:' || isLoopback(hostname) || insecureHttp) return;
  throw usageError(
    `${origin} would receive your password and tokens unencrypted; use https, or --insecure-http for a network that you trust.`,
  );
}

/** Whether a host, as `URL.hostname` writes it, is this machine. Not `*.localhost`: some resolvers ask the network for it. */
export function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d+){3}$/.test(hostname);
}
