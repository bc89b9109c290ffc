import {
  createKeyResponse,
  imageResponse,
  KEY_PATTERN,
  problemResponse,
  problems,
  type CreateKeyResponse,
  type ImageResponse,
} from '@imgup/shared';
import * as v from 'valibot';
import { ApiError } from '../errors.ts';
import { readRetryAfter, readUploadLimit } from './limit-headers.ts';
import type { TransportResponse } from './transport.ts';
import { redirected, unexpectedAnswer } from './unexpected-answer.ts';

/** What a server has answered, its text not looked at yet. */
export interface Answer {
  origin: string;
  status: number;
  headers: TransportResponse['headers'];
  text: string;
}

/** An answer, and the server's clock (`Date`) in milliseconds where it told it. */
export interface Received<T> {
  body: T;
  serverTime: number | null;
}

/** The error that a refusal is. @param hide takes secrets out of what is shown */
export function refusal(answer: Answer, hide: (text: string) => string): Error {
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
    retryAfter: readRetryAfter(headers),
    limit: readUploadLimit(headers),
    requestId: requestId(headers),
  });
}

/** It is shown to a person, so it must be an id and nothing else. */
function requestId(headers: Answer['headers']): string | null {
  const id = headers['x-request-id'] ?? '';
  return /^[\w.:=+-]{1,128}$/.test(id) ? id : null;
}

/** What a schema makes of an answer. Errors of this and of what follows: `CliError` where it is not as imgup answers. */
export function received<Schema extends v.GenericSchema>(
  schema: Schema,
  answer: Answer,
): Received<v.InferOutput<Schema>> {
  const time = Date.parse(answer.headers['date'] ?? '');
  return { body: parsed(schema, answer), serverTime: Number.isNaN(time) ? null : time };
}

export function parsed<Schema extends v.GenericSchema>(schema: Schema, answer: Answer): v.InferOutput<Schema> {
  const result = v.safeParse(schema, json(answer));
  if (!result.success) throw unexpectedAnswer(answer);
  return result.output;
}

export function parsedImage(answer: Answer): ImageResponse {
  const image = parsed(imageResponse, answer);
  // It is printed for other programs to use, so it must be one link and nothing else.
  if (!/^https?:\/\/[!-~]+$/.test(image.url)) throw unexpectedAnswer(answer);
  return image;
}

export function parsedKey(answer: Answer): CreateKeyResponse {
  const made = parsed(createKeyResponse, answer);
  // It is printed into scripts, so it must be a key and nothing else.
  if (!KEY_PATTERN.test(made.key)) throw unexpectedAnswer(answer);
  return made;
}

/** For what has no answer but that it is done: a page that something in between shows says nothing of the kind. */
export function done(answer: Answer): void {
  if (answer.status !== 204) throw unexpectedAnswer(answer);
}

function json({ text }: Answer): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
