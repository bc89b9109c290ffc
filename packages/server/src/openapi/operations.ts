import {
  aboutResponse,
  createKeyRequest,
  createKeyResponse,
  imageResponse,
  imagesResponse,
  keysResponse,
  loginRequest,
  loginResponse,
  meResponse,
  passwordRequest,
  paths,
  refreshRequest,
  registerRequest,
  sessionsResponse,
  SMALL_WIDTHS,
  tokensResponse,
  usersResponse,
  type ProblemCode,
} from '@imgup/shared';
import type * as v from 'valibot';

/** The wire schemas that the description names. */
export const schemas = {
  About: aboutResponse,
  RegisterRequest: registerRequest,
  LoginRequest: loginRequest,
  Login: loginResponse,
  RefreshRequest: refreshRequest,
  Tokens: tokensResponse,
  PasswordRequest: passwordRequest,
  Me: meResponse,
  Sessions: sessionsResponse,
  KeyRequest: createKeyRequest,
  NewKey: createKeyResponse,
  Keys: keysResponse,
  Users: usersResponse,
  Image: imageResponse,
  Images: imagesResponse,
} satisfies Record<string, v.GenericSchema>;

export type SchemaName = keyof typeof schemas;

export interface Parameter {
  in: 'query' | 'header';
  name: string;
  description: string;
  schema: object;
}

/** One method of one path. What holds for all that take JSON, or a token, is added where the description is made. */
export interface Operation {
  summary: string;
  /** What it must be sent with; left out: nothing. An upload key will do in a token's place where it says so. */
  auth?: 'token' | 'token or key' | 'metrics token';
  parameters?: Parameter[];
  /** The JSON body, or a picture. */
  takes?: SchemaName | 'picture';
  /** By status: a schema of what is answered, or words for what has none. */
  answers: Record<number, SchemaName | { description: string; type?: string }>;
  problems?: ProblemCode[];
  /** Whether HEAD is meant to be used, too. */
  head?: boolean;
}

const DONE = { description: 'Done.' };
const TEXT = { type: 'string' };

const METADATA: Parameter = {
  in: 'header',
  name: 'X-Imgup-Metadata',
  description: '"keep": publish where, when and with what it was taken, too.',
  schema: { type: 'string', enum: ['keep'] },
};

const PICTURE_PROBLEMS: ProblemCode[] = [
  'invalid_request',
  'multipart_invalid',
  'image_empty',
  'digest_mismatch',
  'body_incomplete',
  'request_timeout',
  'image_too_large',
  'content_type_unsupported',
  'image_type_unsupported',
  'image_invalid',
  'image_too_many_pixels',
  'upload_limit_reached',
  'server_busy',
  'quota_exceeded',
  'storage_full',
  'storage_unavailable',
];

/** Every operation, by its method and the pattern of its path. */
export const operations: Record<string, Operation> = {
  [`GET ${paths.about}`]: {
    summary: 'What this server offers, and what it accepts',
    answers: { 200: 'About' },
  },
  [`GET ${paths.health}`]: {
    summary: 'Whether the process lives',
    answers: { 200: { description: 'It does.', type: 'application/json' } },
  },
  [`GET ${paths.ready}`]: {
    summary: 'Whether uploads can be taken now',
    answers: { 200: { description: 'They can.', type: 'application/json' } },
    problems: ['storage_full', 'storage_unavailable'],
  },
  [`GET ${paths.metrics}`]: {
    summary: 'Metrics for Prometheus, where the server is set to show them',
    auth: 'metrics token',
    answers: { 200: { description: "Prometheus' text format.", type: 'text/plain' } },
    problems: ['not_found'],
  },
  [`GET ${paths.openapi}`]: {
    summary: 'This description',
    answers: { 200: { description: 'An OpenAPI 3.1 document.', type: 'application/json' } },
  },
  [`POST ${paths.register}`]: {
    summary: 'Make an account, and log in with it',
    takes: 'RegisterRequest',
    answers: { 201: 'Login' },
    problems: [
      'registration_closed',
      'username_taken',
      'username_invalid',
      'password_too_short',
      'password_too_long',
      'password_invalid',
      'password_common',
      'too_many_attempts',
      'server_busy',
    ],
  },
  [`POST ${paths.login}`]: {
    summary: 'Log in',
    takes: 'LoginRequest',
    answers: { 200: 'Login' },
    problems: ['wrong_credentials', 'too_many_attempts', 'server_busy'],
  },
  [`POST ${paths.refresh}`]: {
    summary: 'Get new tokens for a refresh token',
    takes: 'RefreshRequest',
    answers: { 200: 'Tokens' },
    problems: ['invalid_grant', 'too_many_attempts'],
  },
  [`POST ${paths.logoutAccess}`]: { summary: 'Revoke this access token', auth: 'token', answers: { 204: DONE } },
  [`POST ${paths.logoutRefresh}`]: {
    summary: 'End the session of a refresh token; unknown ones are no error (RFC 7009)',
    takes: 'RefreshRequest',
    answers: { 204: DONE },
  },
  [`GET ${paths.me}`]: {
    summary: 'Who I am, in which session, within which limits',
    auth: 'token',
    answers: { 200: 'Me' },
  },
  [`GET ${paths.sessions}`]: { summary: 'My log-ins', auth: 'token', answers: { 200: 'Sessions' } },
  [`DELETE ${paths.sessions}`]: {
    summary: 'End all my sessions',
    auth: 'token',
    parameters: [
      {
        in: 'query',
        name: 'keep',
        description: '"current": all but the one that asks.',
        schema: { type: 'string', enum: ['current'] },
      },
    ],
    answers: { 204: DONE },
  },
  [`DELETE ${paths.session}`]: {
    summary: 'End one of my sessions',
    auth: 'token',
    answers: { 204: DONE },
    problems: ['not_found'],
  },
  [`GET ${paths.keys}`]: { summary: 'My upload keys', auth: 'token', answers: { 200: 'Keys' } },
  [`POST ${paths.keys}`]: {
    summary: 'Make an upload key, which no other answer ever holds again',
    auth: 'token',
    takes: 'KeyRequest',
    answers: { 201: 'NewKey' },
    problems: ['too_many_keys', 'key_name_invalid'],
  },
  [`DELETE ${paths.key}`]: {
    summary: 'Revoke an upload key',
    auth: 'token',
    answers: { 204: DONE },
    problems: ['not_found'],
  },
  [`POST ${paths.password}`]: {
    summary: 'Change my password, and end my other sessions',
    auth: 'token',
    takes: 'PasswordRequest',
    answers: { 204: DONE },
    problems: [
      'wrong_password',
      'password_too_short',
      'password_too_long',
      'password_invalid',
      'password_common',
      'too_many_attempts',
      'server_busy',
    ],
  },
  [`GET ${paths.users}`]: {
    summary: 'All accounts, for administrators',
    auth: 'token',
    answers: { 200: 'Users' },
    problems: ['admin_only'],
  },
  [`DELETE ${paths.user}`]: {
    summary: 'Remove an account, for administrators',
    auth: 'token',
    parameters: [
      {
        in: 'query',
        name: 'keep_images',
        description: '"true": the pictures stay.',
        schema: { type: 'string', enum: ['true', 'false'] },
      },
    ],
    answers: { 204: DONE },
    problems: ['admin_only', 'not_found', 'last_admin'],
  },
  [`POST ${paths.images}`]: {
    summary: 'Upload a picture',
    auth: 'token or key',
    parameters: [
      METADATA,
      {
        in: 'header',
        name: 'X-Imgup-Expires',
        description: 'How long its link lives, 10m to 365d.',
        schema: { ...TEXT, examples: ['7d'] },
      },
      {
        in: 'header',
        name: 'Repr-Digest',
        description: 'SHA-256 of the picture (RFC 9530); bytes that do not match are refused.',
        schema: { ...TEXT, examples: ['sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:'] },
      },
      {
        in: 'header',
        name: 'Content-Disposition',
        description: 'Its name (RFC 6266), where the body is the picture itself.',
        schema: { ...TEXT, examples: ['attachment; filename="photo.png"'] },
      },
    ],
    takes: 'picture',
    answers: { 200: 'Image', 201: 'Image' },
    problems: PICTURE_PROBLEMS,
  },
  [`GET ${paths.imageByDigest}`]: {
    summary: 'The picture that I have made of a file with this SHA-256 (hex); costs no slot of the upload limit',
    auth: 'token or key',
    parameters: [METADATA],
    answers: { 200: 'Image' },
    problems: ['not_found'],
    head: true,
  },
  [`GET ${paths.images}`]: {
    summary: 'My pictures, the newest first',
    auth: 'token',
    parameters: [
      {
        in: 'query',
        name: 'limit',
        description: 'Pictures a page.',
        schema: { type: 'integer', minimum: 1, maximum: 200, default: 50 },
      },
      { in: 'query', name: 'after', description: '`next` of the page before.', schema: TEXT },
    ],
    answers: { 200: 'Images' },
    problems: ['invalid_request'],
  },
  [`GET ${paths.image}`]: {
    summary: 'What is known of one of my pictures',
    auth: 'token',
    answers: { 200: 'Image' },
    problems: ['not_found'],
  },
  [`DELETE ${paths.image}`]: {
    summary: 'Take one of my pictures back',
    auth: 'token',
    answers: { 204: DONE },
    problems: ['not_found'],
  },
  [`GET ${paths.picture}`]: {
    summary: 'The picture behind a link',
    parameters: [
      {
        in: 'query',
        name: 'w',
        description: 'At most this wide.',
        schema: { type: 'integer', enum: SMALL_WIDTHS },
      },
      { in: 'header', name: 'Range', description: 'A part of it (RFC 9110).', schema: TEXT },
    ],
    answers: {
      200: { description: 'The picture.', type: 'image/*' },
      206: { description: 'A part of it.', type: 'image/*' },
      304: { description: 'It is as it was.' },
      307: { description: 'It is on the storage, at `Location`, for some minutes (`--serve-images redirect`).' },
      416: { description: 'It has no such part.' },
    },
    problems: ['invalid_request', 'not_found', 'precondition_failed', 'server_busy'],
    head: true,
  },
};
