import * as v from 'valibot';
import {
  createKeyResponse,
  imageResponse,
  imagesResponse,
  keysResponse,
  sessionsResponse,
  timestamp,
  usersResponse,
} from './api.ts';

/** What any command prints with `--json` where it fails, beside what it has done until then. */
const cliError = v.strictObject({
  code: v.string(),
  message: v.string(),
  exit_code: v.picklist([1, 2, 3, 4, 5, 6, 7, 130]),
});

const role = v.picklist(['admin', 'user']);
const credentialStore = v.picklist(['keychain', 'file', 'memory']);
const count = v.pipe(v.number(), v.integer(), v.minValue(0));

const begunSession = v.strictObject({
  server: v.string(),
  username: v.string(),
  role,
  device: v.string(),
  session_expires_at: timestamp,
  credential_store: credentialStore,
});

const sessionAt = v.strictObject({ server: v.string(), username: v.string() });

/** At the server; with an error where the local file was to be deleted, and is still there. */
const atServer = { file: v.string(), image: imageResponse, error: v.optional(cliError) };

/** What has become of one file; also a line of `--jsonl` and of `imgup watch --json`. */
export const cliUploadedFile = v.variant('status', [
  v.strictObject({ ...atServer, status: v.literal('uploaded') }),
  v.strictObject({ ...atServer, status: v.literal('present') }),
  v.strictObject({ file: v.string(), status: v.literal('failed'), error: cliError }),
  v.strictObject({ file: v.string(), status: v.literal('left') }),
]);

const uploaded = {
  files: v.array(cliUploadedFile),
  uploaded: count,
  present: count,
  failed: count,
  left: count,
};

function eachPicture<Entries extends v.ObjectEntries>(done: Entries) {
  const pictures = v.array(
    v.variant('status', [
      v.strictObject({ named: v.string(), status: v.literal('done'), ...done }),
      v.strictObject({ named: v.string(), status: v.literal('failed'), error: cliError }),
    ]),
  );
  return v.union([v.strictObject({ pictures }), v.strictObject({ pictures, error: cliError })]);
}

const namedKey = v.strictObject({ id: v.string(), name: v.string() });

const setting = v.pipe(v.record(v.string(), v.nullable(v.string())), v.minEntries(1));

const checks = v.array(
  v.strictObject({ name: v.string(), status: v.picklist(['ok', 'warning', 'failed']), message: v.string() }),
);

const inData = { pictures: count, bytes: count, users: count };

const checked = {
  ...inData,
  findings: v.array(v.strictObject({ kind: v.string(), path: v.string(), mended: v.boolean() })),
  lost_and_found: v.optional(v.nullable(v.string())),
};

const migrated = {
  data: v.string(),
  accounts: v.boolean(),
  images: v.boolean(),
  users: count,
  sessions: count,
  keys: count,
  pictures: count,
  bytes: count,
  present: count,
  findings: v.array(v.strictObject({ kind: v.string(), path: v.string() })),
};

/**
 * The one JSON document that each command prints with `--json` where all went well, by the command as it is typed. Where it
 * fails, the document is `{error}`, for some commands beside what was done.
 */
export const cliOutput = {
  serve: v.strictObject({ url: v.string() }),
  register: begunSession,
  login: begunSession,
  logout: sessionAt,
  whoami: v.strictObject({
    server: v.string(),
    username: v.string(),
    role,
    device: v.nullable(v.string()),
    session_expires_at: timestamp,
    credential_store: v.picklist([...credentialStore.options, 'environment']),
    uploads: v.strictObject({ limit: count, window_seconds: v.number(), remaining: count }),
  }),
  upload: v.union([v.strictObject(uploaded), v.strictObject({ ...uploaded, error: cliError })]),
  watch: cliUploadedFile,
  list: imagesResponse,
  show: imageResponse,
  get: eachPicture({ path: v.string(), url: v.string(), type: v.string(), bytes: count }),
  rm: eachPicture({ image: imageResponse }),
  sessions: sessionsResponse,
  'sessions list': sessionsResponse,
  'sessions end': v.strictObject({ server: v.string(), ended: v.array(v.string()) }),
  passwd: v.strictObject({ server: v.string(), other_sessions_ended: v.literal(true) }),
  keys: keysResponse,
  'keys list': keysResponse,
  'keys create': createKeyResponse,
  'keys revoke': v.strictObject({ server: v.string(), revoked: namedKey }),
  integrate: v.strictObject({
    server: v.string(),
    tool: v.string(),
    key_made: v.nullable(namedKey),
    configuration: v.string(),
    advice: v.array(v.string()),
  }),
  users: usersResponse,
  'users list': usersResponse,
  'users rm': v.strictObject({ server: v.string(), username: v.string(), images: v.picklist(['kept', 'removed']) }),
  accounts: v.strictObject({
    accounts: v.array(v.strictObject({ ...sessionAt.entries, current: v.boolean(), session_expires_at: timestamp })),
  }),
  use: sessionAt,
  'config list': setting,
  'config get': setting,
  'config set': setting,
  'config unset': setting,
  doctor: v.union([v.strictObject({ checks }), v.strictObject({ checks, error: cliError })]),
  'admin check': v.union([v.strictObject(checked), v.strictObject({ ...checked, error: cliError })]),
  'admin backup': v.strictObject({ path: v.string(), ...inData, secret: v.boolean() }),
  'admin restore': v.strictObject({ data: v.string(), ...inData, secret: v.boolean() }),
  'admin migrate': v.union([v.strictObject(migrated), v.strictObject({ ...migrated, error: cliError })]),
  'admin rotate-secret': v.strictObject({ secret_file: v.string(), forgot_old: v.boolean() }),
} satisfies Record<string, v.GenericSchema>;

/** What a command prints that failed before it had done anything. */
export const cliFailure = v.strictObject({ error: cliError });
