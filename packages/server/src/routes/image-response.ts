import { picturePath, type ImageResponse } from '@imgup/shared';
import type { ImageRecord } from '../ports/image-store.ts';

/** A picture as the API shows it. @param origin of its link */
export function imageResponse(record: ImageRecord, origin: string): ImageResponse {
  return {
    id: record.id,
    url: origin + picturePath(record.owner, record.id, record.extension),
    name: record.name,
    type: record.type,
    bytes: record.bytes,
    width: record.width,
    height: record.height,
    sha256: record.sha256,
    source_sha256: record.sourceSha256,
    removed: record.removed,
    created_at: record.createdAt,
    expires_at: record.expiresAt,
  };
}
