import { paths } from '@imgup/shared';
import type { Integration } from './integration.ts';
import { shellQuote } from './shell-quote.ts';

/** A command line. curl takes the key out of what others see of its arguments, as it would not with `--header`. */
export const curlIntegration: Integration = (origin, key) => ({
  configuration: [
    'curl --globoff --silent --show-error --fail-with-body',
    `--oauth2-bearer ${key} --header 'Accept: text/plain'`,
    `--form 'file=@photo.png' ${shellQuote(`${origin}${paths.images}`)}`,
  ].join(' '),
  advice: [
    'Put your file in the place of photo.png. It prints the link, or why there is none, and ends with 22 then.',
    'It needs curl 7.76 or later.',
  ],
});
