import { paths } from '@imgup/shared';
import type { Integration } from './integration.ts';

/** A custom uploader of ShareX (https://getsharex.com/docs/custom-uploader). */
export const sharexIntegration: Integration = (origin, key) => ({
  configuration: JSON.stringify(
    {
      // Of the ShareX whose syntax this is; what is older than 13.7.1 is read with another.
      Version: '14.0.0',
      Name: `imgup at ${new URL(origin).host}`,
      DestinationType: 'ImageUploader',
      RequestMethod: 'POST',
      RequestURL: escaped(`${origin}${paths.images}`),
      Headers: { Authorization: `Bearer ${key}` },
      Body: 'MultipartFormData',
      FileFormName: 'file',
      URL: '{json:url}',
      ThumbnailURL: '{json:url}?w=320',
      ErrorMessage: '{json:detail}',
    },
    null,
    2,
  ),
  advice: ['Save it as imgup.sxcu, open that with ShareX, and say yes to using it for images.'],
});

/** What would begin, divide or end a function of ShareX's syntax. */
function escaped(text: string): string {
  return text.replace(/[\\{}|]/g, String.raw`\$&`);
}
