import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { DEFAULT_HOST, DEFAULT_PORT } from '@imgup/shared';
import bytes from 'bytes';
import ipaddr from 'ipaddr.js';
import { parseS3Location, withoutCredentials, type S3Location } from './adapters/s3/s3-location.ts';
import { parseSecrets, type Secrets } from './adapters/filesystem/secret-file.ts';
import { StartError } from './errors.ts';
import type { LogLevel } from './logger.ts';
import type { Network } from './middleware/client-address.ts';
import { parseTime } from './parse-time.ts';

export interface ServerConfig {
  host: string;
  /** 0 lets the system choose. */
  port: number;
  /** The data folder. */
  data: string;
  /** The origin of links; null: the origin that each upload is sent to. */
  publicUrl: string | null;
  uploadLimit: { uploads: number; windowMs: number };
  /** Log-ins to one account from one address; the limits of other attempts are multiples of it. */
  loginLimit: { attempts: number; windowMs: number };
  /** Networks of the proxies whose X-Forwarded-For counts. */
  trustedProxies: Network[];
  /** Seconds that an access token lives. */
  accessTtl: number;
  /** The largest picture, in bytes. */
  maxBytes: number;
  /** The most pixels of a picture, those of all its frames together. */
  maxPixels: number;
  /** Whether uploads are decoded whole before they count, or only their header is looked at. */
  verify: 'full' | 'header';
  /** Bytes that a user may have stored; null: any number. */
  quota: number | null;
  /** Where pictures are kept; null: in the data folder. */
  images: S3Location | null;
  /** Whether readers are sent what is on the S3 store, or sent there. */
  serveImages: 'stream' | 'redirect';
  /** Bytes that small versions of pictures may take in the data folder. */
  cacheSize: number;
  /** Bytes of the disk that uploads must leave free. */
  minFree: number;
  registration: 'open' | 'closed';
  logLevel: LogLevel;
  /** The database of accounts, sessions and limits, as postgres://…; null: db.json in the data folder, and memory. */
  accounts: string | null;
  /** Given from outside, the current one first; null: the secret file decides. */
  secrets: Secrets | null;
  secretFile: string;
  /** What whoever reads /metrics must send. Null here and in `metricsTokenFile`: there are no metrics. */
  metricsToken: string | null;
  metricsTokenFile: string | null;
}

/** Every setting as the flag spells it; `IMGUP_<NAME>` in the environment otherwise. */
export type Settings = Partial<Record<SettingName, string>>;
type SettingName =
  | 'host'
  | 'port'
  | 'data'
  | 'public-url'
  | 'upload-limit'
  | 'login-limit'
  | 'trust-proxy'
  | 'access-ttl'
  | 'max-size'
  | 'max-pixels'
  | 'verify'
  | 'quota'
  | 'images'
  | 'serve-images'
  | 'cache-size'
  | 'min-free'
  | 'registration'
  | 'log-level'
  | 'accounts'
  | 'secret-file'
  | 'metrics-token-file';

const S3_EXAMPLE = 's3://bucket/prefix?endpoint=https://s3.example.org&region=eu-central-1&path-style=true';

interface Sources {
  flags: Settings;
  env: NodeJS.ProcessEnv;
}

/**
 * Reads and checks every setting: a flag first, then its variable, then the default.
 *
 * @throws StartError `config_invalid`, naming the flag or the variable that is wrong
 */
export function readConfig({ flags, env }: Sources): ServerConfig {
  function setting<T>(
    name: SettingName,
    fallback: string | (() => string),
    expected: string,
    parse: (text: string) => T | null,
    { secret } = { secret: false },
  ): T {
    const variable = `IMGUP_${name.toUpperCase().replaceAll('-', '_')}`;
    const flag = flags[name];
    const text = flag ?? (env[variable] || (typeof fallback === 'string' ? fallback : fallback()));
    const value = parse(text);
    if (value !== null) return value;
    const source = flag === undefined ? variable : `--${name}`;
    const shown = secret ? 'not' : `"${withoutCredentials(text)}"`;
    throw new StartError('config_invalid', `${source} must be ${expected}, and is ${shown}.`);
  }

  const data = setting(
    'data',
    () => defaultDataFolder(env),
    'a folder',
    (text) => resolve(text),
  );
  const images = setting('images', '', `an S3 store such as ${S3_EXAMPLE}`, parseImages).location;
  const uploads = setting('upload-limit', '5/min', 'a number and a time, such as 5/min or 100/1h', parseLimit);
  const logins = setting('login-limit', '10/min', 'a number and a time, such as 10/min', parseLimit);
  return {
    host: setting('host', DEFAULT_HOST, 'an address to listen on', nonEmpty),
    port: setting('port', `${DEFAULT_PORT}`, 'a port from 0 to 65535', parsePort),
    data,
    publicUrl: setting('public-url', '', 'an origin such as https://img.example.org', parseOrigin).origin,
    uploadLimit: { uploads: uploads.count, windowMs: uploads.windowMs },
    loginLimit: { attempts: logins.count, windowMs: logins.windowMs },
    trustedProxies: setting('trust-proxy', '', 'networks such as 10.0.0.0/8,::1', parseNetworks),
    accessTtl: setting('access-ttl', '10m', 'a time from 5m to 15m', parseAccessTtl),
    maxBytes: setting('max-size', '25MB', 'a size from 1KB to 1GB, such as 25MB', parseSize),
    maxPixels: setting('max-pixels', '64M', 'a number of pixels such as 64M or 100000000', parsePixels),
    verify: setting('verify', 'full', '"full" or "header"', oneOf(['full', 'header'])),
    quota: setting('quota', 'none', 'a size such as 1GB, or "none"', parseQuota).bytes,
    images,
    serveImages: setting(
      'serve-images',
      'stream',
      '"stream", or "redirect" with pictures on an S3 store (--images)',
      (text) => (text === 'stream' || (text === 'redirect' && images !== null) ? text : null),
    ),
    cacheSize: setting('cache-size', '1GB', 'a size of at least 1MB, such as 1GB', parseCacheSize),
    minFree: setting('min-free', '200MB', 'a size such as 200MB, or 0', (text) => bytes.parse(text)),
    registration: setting('registration', 'open', '"open" or "closed"', oneOf(['open', 'closed'])),
    logLevel: setting(
      'log-level',
      'info',
      '"debug", "info", "warn", "error" or "silent"',
      oneOf(['debug', 'info', 'warn', 'error', 'silent']),
    ),
    accounts: setting('accounts', '', EXAMPLE_DATABASE, parseDatabase, { secret: true }).url,
    secrets: env['IMGUP_SECRET'] ? parseSecrets(env['IMGUP_SECRET'], 'IMGUP_SECRET') : null,
    secretFile: setting('secret-file', join(data, 'secret'), 'a file', (text) => resolve(text)),
    metricsToken: env['IMGUP_METRICS_TOKEN'] || null,
    metricsTokenFile: setting('metrics-token-file', '', 'a file', parseOptionalFile).path,
  };
}

function parseOptionalFile(text: string): { path: string | null } {
  return { path: text === '' ? null : resolve(text) };
}

const EXAMPLE_DATABASE = 'a database such as postgres://user:password@host:5432/imgup';

/** Where each system keeps a user's data: XDG on Linux. */
function defaultDataFolder(env: NodeJS.ProcessEnv): string {
  if (process.platform === 'win32') return join(env['LOCALAPPDATA'] || homeFolder(), 'imgup', 'data');
  if (process.platform === 'darwin') return join(homeFolder(), 'Library', 'Application Support', 'imgup');
  return join(env['XDG_DATA_HOME'] || join(homeFolder(), '.local', 'share'), 'imgup');
}

/** Node throws where neither the environment nor the system knows a user's home, and gives what HOME says even if that is nothing. */
function homeFolder(): string {
  try {
    const home = homedir();
    if (home !== '') return home;
  } catch {
    // As where it is empty.
  }
  throw new StartError('config_invalid', 'This user has no home folder to keep data in; name a folder with --data.');
}

function nonEmpty(text: string): string | null {
  return text === '' ? null : text;
}

function parsePort(text: string): number | null {
  return /^\d{1,5}$/.test(text) && Number(text) <= 65_535 ? Number(text) : null;
}

function parseOrigin(text: string): { origin: string | null } | null {
  if (text === '') return { origin: null };
  if (!URL.canParse(text)) return null;
  const { protocol, origin, href } = new URL(text);
  const isOrigin = href === `${origin}/` && (protocol === 'https:' || protocol === 'http:');
  return isOrigin ? { origin } : null;
}

/** Looked at no further here: what a database's URL may say is for the library that speaks to it. */
function parseDatabase(text: string): { url: string | null } | null {
  if (text === '') return { url: null };
  return /^postgres(ql)?:\/\/./.test(text) ? { url: text } : null;
}

function parseImages(text: string): { location: S3Location | null } | null {
  if (text === '') return { location: null };
  const location = parseS3Location(text);
  return location && { location };
}

function parseLimit(text: string): { count: number; windowMs: number } | null {
  const [, digits = '', unit = ''] = /^(\d{1,6})\/(.+)$/.exec(text) ?? [];
  const windowMs = parseTime(/^\d/.test(unit) ? unit : `1${unit}`);
  const count = Number(digits);
  return count >= 1 && windowMs !== null && windowMs >= 1000 ? { count, windowMs } : null;
}

/** Addresses and networks with commas between; an address alone is the network of itself. */
function parseNetworks(text: string): Network[] | null {
  const networks: Network[] = [];
  for (const part of text === '' ? [] : text.split(',').map((each) => each.trim())) {
    if (ipaddr.isValidCIDR(part)) networks.push(unmapped(ipaddr.parseCIDR(part)));
    else if (ipaddr.isValid(part))
      networks.push([ipaddr.process(part), ipaddr.process(part).kind() === 'ipv4' ? 32 : 128]);
    else return null;
  }
  return networks;
}

/** A network of IPv4 addresses that are mapped into IPv6 is one of IPv4. */
function unmapped([address, bits]: Network): Network {
  const isMapped = address instanceof ipaddr.IPv6 && address.isIPv4MappedAddress() && bits >= 96;
  return isMapped ? [address.toIPv4Address(), bits - 96] : [address, bits];
}

/** Pixels, with M for a million. */
function parsePixels(text: string): number | null {
  const [, digits = '', unit = ''] = /^(\d{1,10})(M?)$/.exec(text) ?? [];
  const pixels = Number(digits) * (unit === 'M' ? 1e6 : 1);
  return pixels >= 1 && pixels <= 1e9 ? pixels : null;
}

function parseQuota(text: string): { bytes: number | null } | null {
  if (text === 'none') return { bytes: null };
  const size = bytes.parse(text);
  return size === null || size < 1 ? null : { bytes: size };
}

function parseCacheSize(text: string): number | null {
  const size = bytes.parse(text);
  return size !== null && size >= 1024 ** 2 ? size : null;
}

function parseAccessTtl(text: string): number | null {
  const time = parseTime(text);
  return time !== null && time >= 300_000 && time <= 900_000 ? Math.floor(time / 1000) : null;
}

function parseSize(text: string): number | null {
  const size = bytes.parse(text);
  return size !== null && size >= 1024 && size <= 1024 ** 3 ? size : null;
}

function oneOf<T extends string>(values: readonly T[]): (text: string) => T | null {
  return (text) => values.find((value) => value === text) ?? null;
}
