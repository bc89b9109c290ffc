import { AppError } from '../../errors.ts';

/** The answer to a picture whose structure cannot be followed to its end, and which is therefore not copied unseen. */
export function damaged(how: string): AppError {
  return new AppError('image_invalid', `The picture is damaged: ${how}. Export it again and retry.`);
}
