import type { Logger } from './logger.ts';
import { requestId } from './request-id.ts';

/** Adds the id of the request to each line that is logged while it is answered, whoever logs it. */
export function logWithRequestId(logger: Logger): Logger {
  const identified = (fields: object) => {
    const id = requestId();
    return id === undefined ? fields : { ...fields, request_id: id };
  };
  return {
    debug(fields, message) {
      logger.debug(identified(fields), message);
    },
    info(fields, message) {
      logger.info(identified(fields), message);
    },
    warn(fields, message) {
      logger.warn(identified(fields), message);
    },
    error(fields, message) {
      logger.error(identified(fields), message);
    },
  };
}
