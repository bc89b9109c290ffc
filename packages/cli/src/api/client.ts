import {
  aboutResponse,
  imagesResponse,
  keysResponse,
  loginResponse,
  meResponse,
  paths,
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
import { ApiError } from '../errors.ts';
import { done, parsed, parsedImage, parsedKey, received, refusal, type Answer, type Received } from './answer.ts';
import { contentDisposition } from './content-disposition.ts';
import { hideSent } from './hide-sent.ts';
import { readLimitState, type LimitState } from './limit-headers.ts';
import { readText } from './transport.ts';
import type { StreamBody, Transport, TransportRequest } from './transport.ts';

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

export interface NewSession {
  username: string;
  password: string;
  device: string;
}

export interface PasswordChange {
  current: string;
  new: string;
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
      return { image: parsedImage(answer), created: answer.status === 201, limit: readLimitState(answer.headers) };
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
