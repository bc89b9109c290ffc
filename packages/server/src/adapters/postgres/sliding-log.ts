import type { SlotState } from '../../ports/sliding-log.ts';
import { CLOCK, type Database } from './database.ts';
import { shareStatements } from './share-statements.ts';

interface LogOptions {
  limit: number;
  windowMs: number;
  /** The most refusals of the last window that are counted. */
  refusalsMax: number;
}

type LogState = SlotState & { refused: number };

interface LogRow {
  /** How many were admitted by this statement; of a look, would be. */
  admitted: number;
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

/** How many of `$6` are admitted where so many slots are held. */
const admittedBeside = (taken: string) => `least($6::int, greatest(0, $4::int - ${taken}))`;

/** Up to `$5` refusals are counted. */
const refusedBeside = (refused: string, admitted: string) =>
  `least($6::int - ${admitted}, greatest(0, $5::int - ${refused}))`;

/**
 * The row is locked before the expressions behind SET are evaluated, so the clock is read when the slots are this
 * statement's to take: the order of the statements is that of their times, whoever asks, and no two see the same log.
 */
const TAKE = `
  INSERT INTO sliding_logs AS log (key, taken, refused, admitted, at, free_at)
  SELECT $2, array_fill(at, ARRAY[admitted]), array_fill(at, ARRAY[${refusedBeside('0', 'admitted')}]), admitted, at,
    at + $3::bigint
  FROM (WITH ${CLOCK} SELECT at, ${admittedBeside('0')} AS admitted FROM clock) AS first
  ON CONFLICT (key) DO UPDATE SET (taken, refused, admitted, at, free_at) = (
    WITH ${CLOCK}, ${held('clock')},
    decided AS (SELECT *, ${admittedBeside('cardinality(taken)')} AS admitted FROM held)
    SELECT taken || array_fill(at, ARRAY[admitted]),
      refused || array_fill(at, ARRAY[${refusedBeside('cardinality(refused)', 'admitted')}]), admitted, at,
      at + $3::bigint
    FROM decided
  )
  RETURNING admitted, cardinality(taken) AS held, ${NEXT_AT} AS next_at, cardinality(refused) AS refused, at`;

const PEEK = `
  WITH ${CLOCK}, ${held('clock LEFT JOIN sliding_logs AS log ON log.key = $2')}
  SELECT greatest(0, $4::int - cardinality(taken)) AS admitted, cardinality(taken) AS held, ${NEXT_AT} AS next_at,
    cardinality(refused) AS refused, at
  FROM held`;

/**
 * A sliding log, one row a key, that all servers of a database share: slots are taken by one statement. Rows that hold
 * nothing more are removed when the accounts are swept.
 */
export function createPostgresSlidingLog(database: Database, { limit, windowMs, refusalsMax }: LogOptions) {
  const stateOf = (admitted: boolean, { held, next_at, refused, at }: LogRow): LogState => ({
    admitted,
    remaining: Math.max(0, limit - held),
    nextSlotIn: next_at === null ? 0 : next_at - at,
    refused,
  });

  /** Of each key, the take that was asked for last and has not been decided. Those of a key are decided in order. */
  const undecided = new Map<string, Promise<LogState>>();
  const shared = shareStatements(async (key, count) => {
    const values = [database.time(), key, windowMs, limit, refusalsMax, count];
    const row = await one(database.query<LogRow>(TAKE, values));
    return Array.from({ length: count }, (_, index) => stateOf(index < row.admitted, row));
  });

  return {
    take(key: string): Promise<LogState> {
      const taking = shared(key);
      undecided.set(key, taking);
      const forget = () => {
        if (undecided.get(key) === taking) undecided.delete(key);
      };
      taking.then(forget, forget);
      return taking;
    },

    async peek(key: string): Promise<LogState> {
      await undecided.get(key);
      const row = await one(database.query<LogRow>(PEEK, [database.time(), key, windowMs, limit]));
      return stateOf(row.admitted > 0, row);
    },
  };
}

async function one<Row>(rows: Promise<Row[]>): Promise<Row> {
  const [row] = await rows;
  if (row === undefined) throw new Error('a statement that always answers with a row has answered with none');
  return row;
}
