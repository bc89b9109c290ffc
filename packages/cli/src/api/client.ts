import {
  aboutResponse,
  createKeyResponse,
  imageResponse,
  imagesResponse,
  KEY_PATTERN,
  keysResponse,
  loginResponse,
  meResponse,
  paths,
  problemResponse,
  problems,
  sessionsResponse,
  tokensResponse,
  usersResponse,
  type AboutResponse,
  type CreateKeyResponse,
  type ImageResponse,
  type ImagesResponse,
  type KeysResponse,
  type LoginResponse,
  type MeResponse,
  type SessionsResponse,
  type TokensResponse,
  type UsersResponse,
} from '@imgup/shared';
import * as v from 'valibot';
import { ApiError } from '../errors.ts';
import { contentDisposition } from './content-disposition.ts';
import { hideSent } from './hide-sent.ts';
import { readText } from './transport.ts';
import type { StreamBody, Transport, TransportRequest, TransportResponse } from './transport.ts';
import { redirected, unexpectedAnswer } from './unexpected-answer.ts';

/** One method a route. Errors of each: `ApiError`, `TransportError`, and `CliError` for what no imgup server answers. */
export interface Client {
  about(): Promise<Received<AboutResponse>>;
  register(account: NewSession): Promise<Received<LoginResponse>>;
  login(account: NewSession): Promise<Received<LoginResponse>>;
  refresh(refreshToken: string, signal?: AbortSignal): Promise<Received<TokensResponse>>;
  logoutRefresh(refreshToken: string): Promise<void>;
  me(accessToken: string): Promise<MeResponse>;
  sessions(accessToken: string): Promise<SessionsResponse>;
  endSession(accessToken: string, id: string): Promise<void>;
  /** Ends every session of the user, or every one but that of the token. */
  endSessions(accessToken: string, which: 'all' | 'others'): Promise<void>;
  keys(accessToken: string): Promise<KeysResponse>;
  /** Makes an upload key, which no other answer ever holds again. */
  createKey(accessToken: string, name: string): Promise<CreateKeyResponse>;
  revokeKey(accessToken: string, id: string): Promise<void>;
  changePassword(accessToken: string, change: PasswordChange): Promise<void>;
  users(accessToken: string): Promise<UsersResponse>;
  removeUser(accessToken: string, name: string, options: { keepImages: boolean }): Promise<void>;
  uploadImage(accessToken: string, picture: Picture, wishes: UploadWishes): Promise<UploadAnswer>;
  /** The picture that came of a file with this SHA-256 (base64), which costs no slot of the limit; null: none is there. */
  findImage(accessToken: string, digest: string, wishes: UploadWishes): Promise<ImageResponse | null>;
  images(accessToken: string, page: Page): Promise<ImagesResponse>;
  image(accessToken: string, id: string): Promise<ImageResponse>;
  removeImage(accessToken: string, id: string): Promise<void>;
}

/** A part of the pictures, the newest first: those after the one that `next` of the page before named. */
export interface Page {
  limit: number;
  after: string | null;
}

export interface UploadAnswer {
  image: ImageResponse;
  /** False where the server had it already. */
  created: boolean;
  /** How it is with the upload limit, where the server says it. */
  limit: LimitState | null;
}

export interface LimitState {
  /** Uploads that may be made in any window, which is that many seconds long. */
  quota: number;
  windowSeconds: number;
  /** Uploads that would be admitted now, and the seconds until there is one more. */
  uploads: number;
  nextIn: number;
  /** Refusals of the last window, to whichever client of this user. */
  refused: number;
}

export interface NewSession {
  username: string;
  password: string;
  device: string;
}

export interface PasswordChange {
  current: string;
  new: string;
}

/** An answer, and the server's clock (`Date`) in milliseconds where it told it. */
export interface Received<T> {
  body: T;
  serverTime: number | null;
}

export interface UploadWishes {
  keepMetadata: boolean;
  /** How long the link lives, as a number and a unit (`7d`) and in milliseconds; null: for good. */
  expires: { text: string; ms: number } | null;
}

export interface Picture {
  name: string;
  type: string;
  /** SHA-256 in base64. */
  digest: string;
  body: StreamBody;
}

/**
 * The API of one server.
 *
 * @param options.origin where every request goes, and the only place that a token is ever sent to
 * @param options.signal ends whatever is under way
 */
export function createClient({
  origin,
  transport,
  signal,
}: {
  origin: string;
  transport: Transport;
  signal?: AbortSignal | undefined;
}): Client {
  async function call(
    method: TransportRequest['method'],
    path: string,
    options: {
      headers?: Record<string, string>;
      body?: TransportRequest['body'];
      signal?: AbortSignal | undefined;
    } = {},
  ): Promise<Answer> {
    const request: TransportRequest = {
      method,
      url: new URL(path, origin),
      headers: { accept: 'application/json', ...options.headers },
      ...(options.body === undefined ? {} : { body: options.body }),
      signal: anyOf(signal, options.signal),
    };
    const response = await transport(request);
    const text = await readText(response, request);
    const hide = hideSent(request);
    const headers = Object.fromEntries(Object.entries(response.headers).map(([name, value]) => [name, hide(value)]));
    const answer = { origin, status: response.status, headers, text };
    if (response.status >= 300) throw refusal(answer, hide);
    return answer;
  }

  function postJson(
    path: string,
    body: unknown,
    { headers, signal }: { headers?: Record<string, string>; signal?: AbortSignal | undefined } = {},
  ): Promise<Answer> {
    return call('POST', path, {
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
      signal,
    });
  }

  return {
    async register(account) {
      return received(loginResponse, await postJson(paths.register, account));
    },
    async login(account) {
      return received(loginResponse, await postJson(paths.login, account));
    },
    async refresh(refreshToken, only) {
      return received(tokensResponse, await postJson(paths.refresh, { refresh_token: refreshToken }, { signal: only }));
    },
    async logoutRefresh(refreshToken) {
      done(await postJson(paths.logoutRefresh, { refresh_token: refreshToken }));
    },
    async me(accessToken) {
      return parsed(meResponse, await call('GET', paths.me, { headers: bearer(accessToken) }));
    },
    async sessions(accessToken) {
      return parsed(sessionsResponse, await call('GET', paths.sessions, { headers: bearer(accessToken) }));
    },
    async endSession(accessToken, id) {
      done(await call('DELETE', withParameter(paths.session, ':id', id), { headers: bearer(accessToken) }));
    },
    async endSessions(accessToken, which) {
      const query = which === 'others' ? '?keep=current' : '';
      done(await call('DELETE', `${paths.sessions}${query}`, { headers: bearer(accessToken) }));
    },
    async keys(accessToken) {
      return parsed(keysResponse, await call('GET', paths.keys, { headers: bearer(accessToken) }));
    },
    async createKey(accessToken, name) {
      return parsedKey(await postJson(paths.keys, { name }, { headers: bearer(accessToken) }));
    },
    async revokeKey(accessToken, id) {
      done(await call('DELETE', withParameter(paths.key, ':id', id), { headers: bearer(accessToken) }));
    },
    async changePassword(accessToken, change) {
      done(await postJson(paths.password, change, { headers: bearer(accessToken) }));
    },
    async about() {
      return received(aboutResponse, await call('GET', paths.about));
    },
    async users(accessToken) {
      return parsed(usersResponse, await call('GET', paths.users, { headers: bearer(accessToken) }));
    },
    async removeUser(accessToken, name, { keepImages }) {
      const query = keepImages ? '?keep_images=true' : '';
      const path = `${withParameter(paths.user, ':name', name)}${query}`;
      done(await call('DELETE', path, { headers: bearer(accessToken) }));
    },
    async uploadImage(accessToken, picture, wishes) {
      const headers = {
        ...bearer(accessToken),
        'content-type': picture.type,
        'content-disposition': contentDisposition(picture.name),
        'repr-digest': `sha-256=:${picture.digest}:`,
        ...(wishes.keepMetadata && { 'x-imgup-metadata': 'keep' }),
        ...(wishes.expires !== null && { 'x-imgup-expires': wishes.expires.text }),
      };
      const answer = await call('POST', paths.images, { headers, body: picture.body });
      return { image: parsedImage(answer), created: answer.status === 201, limit: limitState(answer.headers) };
    },
    async findImage(accessToken, digest, { keepMetadata }) {
      const path = withParameter(paths.imageByDigest, ':sha256', Buffer.from(digest, 'base64').toString('hex'));
      const headers = { ...bearer(accessToken), ...(keepMetadata && { 'x-imgup-metadata': 'keep' }) };
      try {
        return parsedImage(await call('GET', path, { headers }));
      } catch (error) {
        if (error instanceof ApiError && error.code === 'not_found') return null;
        throw error;
      }
    },
    async images(accessToken, { limit, after }) {
      const query = new URLSearchParams({ limit: `${limit}`, ...(after !== null && { after }) });
      return parsed(
        imagesResponse,
        await call('GET', `${paths.images}?${query.toString()}`, { headers: bearer(accessToken) }),
      );
    },
    async image(accessToken, id) {
      return parsedImage(await call('GET', withParameter(paths.image, ':id', id), { headers: bearer(accessToken) }));
    },
    async removeImage(accessToken, id) {
      done(await call('DELETE', withParameter(paths.image, ':id', id), { headers: bearer(accessToken) }));
    },
  };
}

export interface Answer {
  origin: string;
  status: number;
  headers: TransportResponse['headers'];
  text: string;
}

function withParameter(pattern: string, parameter: string, value: string): string {
  return pattern.replace(parameter, () => encodeURIComponent(value));
}

function bearer(accessToken: string): { authorization: string } {
  return { authorization: `Bearer ${accessToken}` };
}

function anyOf(...signals: (AbortSignal | undefined)[]): AbortSignal | undefined {
  const given = signals.filter((signal) => signal !== undefined);
  return given.length < 2 ? given[0] : AbortSignal.any(given);
}

function refusal(answer: Answer, hide: (text: string) => string): Error {
  const { origin, status, headers } = answer;
  if (status < 400) return redirected(answer);
  const problem = v.safeParse(problemResponse, json(answer));
  if (headers['content-type']?.startsWith('application/problem+json') !== true || !problem.success) {
    return unexpectedAnswer(answer);
  }
  const { code, detail } = problem.output;
  const words = { code: Object.hasOwn(problems, code) ? code : hide(code), detail: hide(detail) };
  return new ApiError({
    ...words,
    origin,
    retryAfter: retryAfter(headers),
    limit: uploadLimit(headers),
    requestId: requestId(headers),
  });
}

/** It is shown to a person, so it must be an id and nothing else. */
function requestId(headers: Answer['headers']): string | null {
  const id = headers['x-request-id'] ?? '';
  return /^[\w.:=+-]{1,128}$/.test(id) ? id : null;
}

function received<Schema extends v.GenericSchema>(schema: Schema, answer: Answer): Received<v.InferOutput<Schema>> {
  const time = Date.parse(answer.headers['date'] ?? '');
  return { body: parsed(schema, answer), serverTime: Number.isNaN(time) ? null : time };
}

function parsed<Schema extends v.GenericSchema>(schema: Schema, answer: Answer): v.InferOutput<Schema> {
  const result = v.safeParse(schema, json(answer));
  if (!result.success) throw unexpectedAnswer(answer);
  return result.output;
}

function parsedImage(answer: Answer): ImageResponse {
  const image = parsed(imageResponse, answer);
  // It is printed for other programs to use, so it must be one link and nothing else.
  if (!/^https?:\/\/[!-~]+$/.test(image.url)) throw unexpectedAnswer(answer);
  return image;
}

function parsedKey(answer: Answer): CreateKeyResponse {
  const made = parsed(createKeyResponse, answer);
  // It is printed into scripts, so it must be a key and nothing else.
  if (!KEY_PATTERN.test(made.key)) throw unexpectedAnswer(answer);
  return made;
}

/** For what has no answer but that it is done: a page that something in between shows says nothing of the kind. */
function done(answer: Answer): void {
  if (answer.status !== 204) throw unexpectedAnswer(answer);
}

function json({ text }: Answer): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function retryAfter(headers: Answer['headers']): number | null {
  const value = headers['retry-after'] ?? '';
  return /^\d{1,9}$/.test(value) ? Number(value) : null;
}

/** `RateLimit: "upload";r=3;t=12` (draft-ietf-httpapi-ratelimit-headers), with the policy and our own header. */
function limitState(headers: Answer['headers']): LimitState | null {
  const [, uploads, nextIn] = /"upload";r=(\d{1,9});t=(\d{1,9})/.exec(headers['ratelimit'] ?? '') ?? [];
  const policy = uploadLimit(headers);
  if (policy === null || uploads === undefined || nextIn === undefined) return null;
  const refused = headers['x-imgup-refused'] ?? '0';
  return {
    quota: policy.uploads,
    windowSeconds: policy.windowSeconds,
    uploads: Number(uploads),
    nextIn: Number(nextIn),
    refused: /^\d{1,9}$/.test(refused) ? Number(refused) : 0,
  };
}

/** `RateLimit-Policy: "upload";q=5;w=60` (draft-ietf-httpapi-ratelimit-headers). */
function uploadLimit(headers: Answer['headers']): ApiError['limit'] {
  const [, quota, window] = /"upload";q=(\d{1,9});w=(\d{1,9})/.exec(headers['ratelimit-policy'] ?? '') ?? [];
  return quota === undefined || window === undefined ? null : { uploads: Number(quota), windowSeconds: Number(window) };
}
