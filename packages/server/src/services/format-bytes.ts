import bytes from 'bytes';

/** "25 MB", in multiples of 1,024. */
export function formatBytes(count: number): string {
  return bytes.format(count, { unitSeparator: ' ' }) ?? `${count} bytes`;
}
