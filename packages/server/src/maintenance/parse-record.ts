import { IMAGE_TYPES, type ImageType } from '@imgup/shared';
import * as v from 'valibot';
import type { ImageRecord } from '../ports/image-store.ts';

const count = v.pipe(v.number(), v.integer(), v.minValue(1));

const digest = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/));

const schema = v.looseObject({
  id: v.string(),
  owner: v.string(),
  name: v.nullable(v.string()),
  type: v.picklist(Object.keys(IMAGE_TYPES) as ImageType[]),
  extension: v.picklist(Object.values(IMAGE_TYPES)),
  bytes: count,
  width: count,
  height: count,
  sha256: digest,
  sourceSha256: digest,
  digestKey: v.string(),
  removed: v.array(v.string()),
  createdAt: v.pipe(v.string(), v.isoTimestamp()),
  expiresAt: v.nullable(v.pipe(v.string(), v.isoTimestamp())),
});

/** What a picture's record says; null where that is no record, or one of another picture than its path names. */
export function parseRecord(text: string, at: { owner: string; id: string }): ImageRecord | null {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return null;
  }
  const parsed = v.safeParse(schema, json);
  if (!parsed.success) return null;
  const record = parsed.output;
  const isOfItsPath =
    record.id === at.id && record.owner === at.owner && record.digestKey.startsWith(record.sourceSha256);
  return isOfItsPath && IMAGE_TYPES[record.type] === record.extension ? record : null;
}
