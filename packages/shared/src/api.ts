import * as v from 'valibot';

export const timestamp = v.pipe(v.string(), v.isoTimestamp());
const role = v.picklist(['admin', 'user']);

/** `POST /api/register`. */
export const registerRequest = v.object({
  username: v.string(),
  password: v.string(),
  device: v.optional(v.string()),
});

/** `POST /api/login`. */
export const loginRequest = registerRequest;

/** `POST /api/token/refresh` and `POST /api/logout/refresh`. */
export const refreshRequest = v.object({ refresh_token: v.string() });

/** What every answer that logs in or refreshes carries. Lifetimes are in seconds. */
export const tokensResponse = v.object({
  token_type: v.literal('Bearer'),
  access_token: v.string(),
  expires_in: v.number(),
  refresh_token: v.string(),
  refresh_expires_in: v.number(),
});

/** A user as the API shows it. */
const user = v.object({
  id: v.string(),
  username: v.string(),
  role,
  created_at: timestamp,
});

/** `POST /api/register` and `POST /api/login`: the user, and tokens beside it. */
export const loginResponse = v.object({ user, ...tokensResponse.entries });

/** `GET /api/me`. */
export const meResponse = v.object({
  user,
  session: v.object({
    id: v.string(),
    device: v.nullable(v.string()),
    created_at: timestamp,
    expires_at: timestamp,
  }),
  limits: v.object({
    uploads: v.number(),
    window_seconds: v.number(),
    remaining: v.number(),
  }),
});

/** `GET /api/sessions`: my log-ins, the latest first. */
export const sessionsResponse = v.object({
  sessions: v.array(
    v.object({
      id: v.string(),
      device: v.nullable(v.string()),
      created_at: timestamp,
      last_used_at: timestamp,
      expires_at: timestamp,
      /** Whether it is the session that asks. */
      current: v.boolean(),
    }),
  ),
});

const uploadKey = v.object({ id: v.string(), name: v.string(), created_at: timestamp });

/** `GET /api/keys`: my upload keys, the latest first. The time of the last use is right to the hour. */
export const keysResponse = v.object({
  keys: v.array(v.object({ ...uploadKey.entries, last_used_at: v.nullable(timestamp) })),
});

/** `POST /api/keys`. */
export const createKeyRequest = v.object({ name: v.string() });

/** `POST /api/keys`: the one answer that ever holds the key. */
export const createKeyResponse = v.object({ ...uploadKey.entries, key: v.string() });

/** `POST /api/password`. */
export const passwordRequest = v.object({ current: v.string(), new: v.string() });

/** `GET /api/users`. `password` says how it is hashed, and is never the hash. */
export const usersResponse = v.object({
  users: v.array(v.object({ ...user.entries, password: v.string() })),
});

/**
 * A picture as the API shows it. `bytes` and `sha256` are those of the file that is served, `source_sha256` is that of
 * the file that was sent, and `removed` says in words what was taken out of it ("GPS position").
 */
export const imageResponse = v.object({
  id: v.string(),
  url: v.string(),
  name: v.nullable(v.string()),
  type: v.string(),
  bytes: v.number(),
  width: v.number(),
  height: v.number(),
  sha256: v.string(),
  source_sha256: v.string(),
  removed: v.array(v.string()),
  created_at: timestamp,
  expires_at: v.nullable(timestamp),
});

/** `GET /api/images`: mine, the newest first. `next` is what to give as `after` for the next page. */
export const imagesResponse = v.object({
  images: v.array(imageResponse),
  next: v.nullable(v.string()),
  total: v.object({ pictures: v.number(), bytes: v.number() }),
});

/** `GET /api`: what a client can check before it sends. Sizes in bytes, times in seconds. */
export const aboutResponse = v.object({
  name: v.literal('imgup'),
  version: v.string(),
  registration: v.picklist(['open', 'closed']),
  upload: v.object({
    max_bytes: v.number(),
    max_pixels: v.number(),
    types: v.array(v.string()),
    limit: v.object({ uploads: v.number(), window_seconds: v.number() }),
  }),
});

/**
 * An error (RFC 9457). `code` is one of `problems`, or one that a newer server knows; `instance` names the request, as
 * `X-Request-Id` does.
 */
export const problemResponse = v.object({
  type: v.string(),
  title: v.string(),
  status: v.number(),
  detail: v.string(),
  code: v.string(),
  instance: v.optional(v.string()),
});

export type TokensResponse = v.InferOutput<typeof tokensResponse>;
export type LoginResponse = v.InferOutput<typeof loginResponse>;
export type MeResponse = v.InferOutput<typeof meResponse>;
export type UserResponse = v.InferOutput<typeof user>;
export type UsersResponse = v.InferOutput<typeof usersResponse>;
export type SessionsResponse = v.InferOutput<typeof sessionsResponse>;
export type KeysResponse = v.InferOutput<typeof keysResponse>;
export type CreateKeyResponse = v.InferOutput<typeof createKeyResponse>;
export type ImageResponse = v.InferOutput<typeof imageResponse>;
export type ImagesResponse = v.InferOutput<typeof imagesResponse>;
export type AboutResponse = v.InferOutput<typeof aboutResponse>;
export type ProblemResponse = v.InferOutput<typeof problemResponse>;
