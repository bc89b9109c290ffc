/** Bounds of a user name, in characters. */
export const USERNAME_MIN = 3;
export const USERNAME_MAX = 32;

/** What a user name may hold. Names are compared without case. */
export const USERNAME_PATTERN = /^[A-Za-z0-9_.-]{3,32}$/;

/** Bounds of a password, in bytes of UTF-8 after NFC. bcrypt reads no further than 72 bytes. */
export const PASSWORD_MIN_BYTES = 8;
export const PASSWORD_MAX_BYTES = 72;

/** The longest display name of a picture, in bytes of UTF-8. */
export const IMAGE_NAME_MAX_BYTES = 255;

/** The longest name of a device in the list of log-ins, in characters. */
export const DEVICE_MAX = 100;

/** The longest name of an upload key, in characters, and how many keys a user may have. */
export const KEY_NAME_MAX = 64;
export const KEYS_MAX = 50;

/** An upload key: what it is, its id, and 32 random bytes in base64url. */
export const KEY_PATTERN = /^imgup_([0-9a-f]{16})_[A-Za-z0-9_-]{43}$/;

/** Where `imgup serve` listens and where the client looks when nothing else is said. */
export const DEFAULT_HOST = '127.0.0.1';
export const DEFAULT_PORT = 4747;
export const DEFAULT_SERVER = `http://${DEFAULT_HOST}:${DEFAULT_PORT}`;

/** The picture formats accepted, by content type, with the extension each is stored under. */
export const IMAGE_TYPES = {
  'image/png': 'png',
  'image/jpeg': 'jpg',
  'image/gif': 'gif',
  'image/webp': 'webp',
  'image/avif': 'avif',
} as const;

export type ImageType = keyof typeof IMAGE_TYPES;
export type ImageExtension = (typeof IMAGE_TYPES)[ImageType];

/** "PNG, JPEG, GIF, WebP, AVIF": the accepted formats as a person reads them. */
export const IMAGE_TYPE_NAMES = 'PNG, JPEG, GIF, WebP, AVIF';

/** How long a picture that expires may live, in milliseconds: 10 minutes to 365 days. */
export const EXPIRY_MIN_MS = 10 * 60 * 1000;
export const EXPIRY_MAX_MS = 365 * 24 * 60 * 60 * 1000;

/** The widths that small versions of pictures come in, in pixels. */
export const SMALL_WIDTHS = [160, 320, 640, 1280, 2560] as const;
export type SmallWidth = (typeof SMALL_WIDTHS)[number];
