/** Where pictures are kept on an S3 store. */
export interface S3Location {
  bucket: string;
  /** What all keys begin with: empty, or ending in a slash. */
  prefix: string;
  /** Null: AWS, or what the SDK is told by its own settings. */
  endpoint: string | null;
  /** Null: what the SDK is told by its own settings. */
  region: string | null;
  /** Whether the bucket is named in the path rather than in the host. */
  pathStyle: boolean;
}

const OPTIONS = ['endpoint', 'region', 'path-style'];

/** Other engines than AWS have no regions, and take this one's name. */
const ANY_REGION = 'us-east-1';

/** `s3://bucket/prefix?endpoint=…&region=…&path-style=true`; null for any other text, and for one that brings credentials. */
export function parseS3Location(text: string): S3Location | null {
  if (!URL.canParse(text)) return null;
  const { protocol, hostname, port, username, password, pathname, searchParams, hash } = new URL(text);
  if (protocol !== 's3:' || username + password + port + hash !== '') return null;
  if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(hostname)) return null;
  if ([...searchParams.keys()].some((name) => !OPTIONS.includes(name))) return null;
  const prefix = pathname.replace(/^\/+|\/+$/g, '');
  if (!/^([\w.-]+(\/[\w.-]+)*)?$/.test(prefix) || prefix.length > 200) return null;
  const [endpoint, region] = [searchParams.get('endpoint'), searchParams.get('region')];
  const pathStyle = searchParams.get('path-style') ?? 'false';
  if (endpoint !== null && !isOrigin(endpoint)) return null;
  if (region !== null && !/^[a-z0-9-]+$/.test(region)) return null;
  if (!['true', 'false'].includes(pathStyle)) return null;
  return {
    bucket: hostname,
    prefix: prefix === '' ? '' : `${prefix}/`,
    endpoint,
    region: region ?? (endpoint === null ? null : ANY_REGION),
    pathStyle: pathStyle === 'true',
  };
}

/** What a message may say of such a text: somebody may have put credentials into it. */
export function withoutCredentials(text: string): string {
  return text.replace(/\/\/[^/]*@/, '//…@').replace(/\b(?!endpoint=|region=|path-style=)([^?&=]+)=[^&]*/g, '$1=…');
}

function isOrigin(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, origin, href } = new URL(text);
  return ['http:', 'https:'].includes(protocol) && href === `${origin}/`;
}
