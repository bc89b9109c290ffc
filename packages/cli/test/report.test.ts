import { expect, test } from 'vitest';
import { CliError, EXIT } from '../src/errors.ts';
import { failureOf } from '../src/upload/report.ts';
import { ownFile } from '../src/upload/sources.ts';

test("a failure has its file's name in it, also where that is in the sentence by chance", () => {
  const error = new CliError('image_invalid', EXIT.refused, 'The picture is damaged.');
  const result = { source: ownFile('p', 1), status: 'failed', image: null, error } as const;
  expect(failureOf([result], null)?.message).toBe('p: The picture is damaged.');
});
