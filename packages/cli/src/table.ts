import stringWidth from 'string-width';
import type { Io } from './io.ts';
import { printable } from './printable.ts';

/** Prints rows of text in aligned columns, the last one as long as it is. */
export function printTable(io: Io, rows: string[][]): void {
  const clean = rows.map((row) => row.map(printable));
  const widths: number[] = [];
  for (const row of clean) {
    for (const [column, cell] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, stringWidth(cell));
  }
  for (const row of clean) {
    io.print(
      row
        .map((cell, column) => cell + ' '.repeat((widths[column] ?? 0) - stringWidth(cell)))
        .join('  ')
        .trimEnd(),
    );
  }
}
