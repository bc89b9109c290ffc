import { createLogger, type LogLevel } from '@imgup/server';

export interface LogLine {
  level: string;
  msg: string;
  request_id?: string;
  [field: string]: unknown;
}

/** The logger that a server has, and what it has written. */
export function collectLog(level: LogLevel = 'debug') {
  let text = '';
  const logger = createLogger(level, {
    write(line: string) {
      text += line;
      return true;
    },
  });
  return {
    logger,
    text: () => text,
    lines: (): LogLine[] =>
      text
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as LogLine),
  };
}
