import { pino } from 'pino';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

/** The part of pino that is used here. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** A terminal gets lines that people read, anything else one JSON object a line. */
export function createLogger(
  level: LogLevel,
  stream: Pick<NodeJS.WritableStream, 'write'> & { isTTY?: boolean },
): Logger {
  const destination = {
    write(line: string) {
      stream.write(stream.isTTY ? forPeople(line) : line);
    },
  };
  const formatters = { level: (label: string) => ({ level: label }) };
  return pino({ level, base: null, formatters, timestamp: pino.stdTimeFunctions.isoTime }, destination);
}

export const silentLogger: Logger = {
  debug: ignore,
  info: ignore,
  warn: ignore,
  error: ignore,
};

function ignore(): void {
  // Nothing is logged.
}

interface LogLine {
  time: string;
  level: string;
  msg: string;
  err?: { stack?: string };
  [field: string]: unknown;
}

function forPeople(line: string): string {
  const { time, level, msg, err, ...fields } = JSON.parse(line) as LogLine;
  const rest = Object.values(fields).map((value) => (typeof value === 'string' ? value : JSON.stringify(value)));
  const words = [time.slice(11, 19), ...(level === 'info' ? [] : [level]), msg, ...rest];
  return `${words.join(' ').replaceAll(/\p{Cc}/gu, '')}\n${err?.stack ? `${err.stack}\n` : ''}`;
}
