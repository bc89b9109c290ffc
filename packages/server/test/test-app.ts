import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ImageResponse, LoginResponse, ProblemResponse } from '@imgup/shared';
import { createApp, type AppOptions } from '@imgup/server';
import { onTestFinished } from 'vitest';

export interface TestApp {
  data: string;
  /** The clock that the app was given, in milliseconds; tests move it. */
  clock: { now: number };
  request(path: string, init?: RequestInit): Promise<Response>;
  post(path: string, body: unknown, token?: string): Promise<Response>;
  register(username: string, password?: string): Promise<LoginResponse>;
  upload(token: string, body: NonNullable<RequestInit['body']>, headers?: Record<string, string>): Promise<Response>;
  close(): Promise<void>;
}

export const PASSWORD = 'a long enough secret';

/** A real app on a real folder, closed and removed when the test ends. */
export async function openApp(options: Partial<AppOptions> = {}): Promise<TestApp> {
  const data = options.data ?? (await temporaryFolder());
  const clock = { now: Date.parse('2026-01-01T12:00:00Z') };
  const app = await createApp({ passwordCost: 4, now: () => clock.now, ...options, data });
  let open = true;
  const close = async () => {
    if (open) await app.close();
    open = false;
  };
  onTestFinished(close);

  const answers: Response[] = [];
  const request = async (path: string, init?: RequestInit) => {
    const answer = await app.fetch(new Request(`http://imgup.test${path}`, { duplex: 'half', ...init }));
    answers.push(answer);
    return answer;
  };
  // A picture that nobody reads would stay open until node finds that, and says so.
  onTestFinished(async () => {
    for (const { body } of answers) if (body?.locked === false) await body.cancel();
  });
  const post = (path: string, body: unknown, token?: string) =>
    request(path, {
      method: 'POST',
      body: JSON.stringify(body),
      headers: { 'Content-Type': 'application/json', ...(token && bearer(token)) },
    });

  return {
    data,
    clock,
    request,
    post,
    async register(username, password = PASSWORD) {
      const answer = await post('/api/register', { username, password });
      if (answer.status !== 201) throw new Error(`registration failed: ${await answer.text()}`);
      return (await answer.json()) as LoginResponse;
    },
    upload: (token, body, headers = {}) =>
      request('/api/images', { method: 'POST', body, headers: { ...bearer(token), ...headers } }),
    close,
  };
}

export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'imgup-test-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true, maxRetries: 10 }));
  return folder;
}

export function bearer(token: string): Record<string, string> {
  return { Authorization: `Bearer ${token}` };
}

/** The same bytes in base64url, written otherwise. Of 32 bytes, and of 53, the last character carries two bits to spare. */
export function respell(text: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  const last = alphabet.indexOf(text.slice(-1));
  const next = (last & ~3) | ((last + 1) & 3);
  return text.slice(0, -1) + alphabet.charAt(next);
}

export async function problemOf(answer: Response): Promise<ProblemResponse> {
  if (!answer.headers.get('content-type')?.startsWith('application/problem+json')) {
    throw new Error(`no problem: ${answer.status} ${await answer.text()}`);
  }
  return (await answer.json()) as ProblemResponse;
}

/** Status and code, which is what clients see of a refusal. */
export async function refusal(answer: Response): Promise<string> {
  const { status, code, detail } = await problemOf(answer);
  if (status !== answer.status || detail === '') throw new Error(`inconsistent problem: ${status} ${detail}`);
  return `${status} ${code}`;
}

export async function imageOf(answer: Response): Promise<ImageResponse> {
  if (!answer.ok) throw new Error(`no image: ${answer.status} ${await answer.text()}`);
  return (await answer.json()) as ImageResponse;
}

/** Every file below images/ and incoming/, sorted: what uploads have left on the disk. */
export async function filesOf(data: string): Promise<string[]> {
  const all = await Promise.all(
    ['images', 'incoming'].map(async (folder) => {
      const entries = await readdir(join(data, folder), { recursive: true, withFileTypes: true });
      return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
    }),
  );
  return all.flat().toSorted();
}
