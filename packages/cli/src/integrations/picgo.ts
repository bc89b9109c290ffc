import { paths } from '@imgup/shared';
import type { Integration } from './integration.ts';

/** PicGo's config.json. PicGo itself knows only the hosts it was written for; its plugin web-uploader knows any. */
export const picgoIntegration: Integration = (origin, key) => ({
  configuration: JSON.stringify(
    {
      picBed: {
        uploader: 'web-uploader',
        current: 'web-uploader',
        'web-uploader': {
          url: `${origin}${paths.images}`,
          paramName: 'file',
          jsonPath: 'url',
          // The plugin wants JSON within JSON.
          customHeader: JSON.stringify({ Authorization: `Bearer ${key}` }),
          customBody: '',
        },
      },
      picgoPlugins: { 'picgo-plugin-web-uploader': true },
    },
    null,
    2,
  ),
  advice: [
    'Save it as .picgo/config.json in your home folder (if you have one there, put "picBed" and "picgoPlugins" into it).',
    'Then: npm install -g picgo; picgo install web-uploader; picgo upload photo.png',
    'PicGo says SUCCESS even where the server has refused a picture: then there is no link below it.',
  ],
});
