import type { SlotState } from '../../ports/sliding-log.ts';
import { CLOCK, type Database } from './database.ts';

interface LogOptions {
  limit: number;
  windowMs: number;
  /** The most refusals of the last window that are counted. */
  refusalsMax: number;
}

type LogState = SlotState & { refused: number };

interface LogRow {
  admitted: boolean;
  held: number;
  /** When one more is free than now; null where none is held. */
  next_at: number | null;
  refused: number;
  at: number;
}

/**
 * What is held at `clock.at` of the row `log`, as `held`. Clocks go back at times: an admission "in the future" must not
 * hold its slot for longer than a window. Takes the window as `$3`.
 */
function held(from: string): string {
  const current = (column: string) => `ARRAY(
    SELECT least(t, clock.at) FROM unnest(log.${column}) AS t WHERE least(t, clock.at) + $3::bigint > clock.at ORDER BY 1
  ) AS ${column}`;
  return `held AS MATERIALIZED (SELECT clock.at, ${current('taken')}, ${current('refused')} FROM ${from})`;
}

/** Of a full log (one that was filled under a higher limit, too) the slot counts that leaves `$4` - 1 behind it. */
const NEXT_AT = 'taken[greatest(1, cardinality(taken) - $4::int + 1)] + $3::bigint';

/**
 * The row is locked before the expressions behind SET are evaluated, so the clock is read when the slot is this
 * request's to take: the order of the rows is that of their times, whoever asks, and no two requests see the same log.
 */
const TAKE = `
  INSERT INTO sliding_logs AS log (key, taken, refused, admitted, at, free_at)
  SELECT $2, ARRAY[at], '{}', true, at, at + $3::bigint FROM (WITH ${CLOCK} SELECT at FROM clock) AS first
  ON CONFLICT (key) DO UPDATE SET (taken, refused, admitted, at, free_at) = (
    WITH ${CLOCK}, ${held('clock')}
    SELECT
      CASE WHEN cardinality(taken) < $4::int THEN taken || at ELSE taken END,
      CASE WHEN cardinality(taken) < $4::int OR cardinality(refused) >= $5::int THEN refused ELSE refused || at END,
      cardinality(taken) < $4::int, at, at + $3::bigint
    FROM held
  )
  RETURNING admitted, cardinality(taken) AS held, ${NEXT_AT} AS next_at, cardinality(refused) AS refused, at`;

const PEEK = `
  WITH ${CLOCK}, ${held('clock LEFT JOIN sliding_logs AS log ON log.key = $2')}
  SELECT cardinality(taken) < $4::int AS admitted, cardinality(taken) AS held, ${NEXT_AT} AS next_at,
    cardinality(refused) AS refused, at
  FROM held`;

/**
 * A sliding log, one row a key, that all servers of a database share: a slot is taken by one statement. Rows that hold
 * nothing more are removed when the accounts are swept.
 */
export function createPostgresSlidingLog(database: Database, { limit, windowMs, refusalsMax }: LogOptions) {
  function stateOf({ admitted, held, next_at, refused, at }: LogRow): LogState {
    return {
      admitted,
      remaining: Math.max(0, limit - held),
      nextSlotIn: next_at === null ? 0 : next_at - at,
      refused,
    };
  }

  return {
    async take(key: string): Promise<LogState> {
      return stateOf(await one(database.query<LogRow>(TAKE, [database.time(), key, windowMs, limit, refusalsMax])));
    },

    async peek(key: string): Promise<LogState> {
      return stateOf(await one(database.query<LogRow>(PEEK, [database.time(), key, windowMs, limit])));
    },
  };
}

async function one<Row>(rows: Promise<Row[]>): Promise<Row> {
  const [row] = await rows;
  if (row === undefined) throw new Error('a statement that always answers with a row has answered with none');
  return row;
}
