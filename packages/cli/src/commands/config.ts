import { join } from 'node:path';
import type { Context } from '../context.ts';
import { CliError, EXIT } from '../errors.ts';
import type { GlobalOptions } from '../program.ts';
import { findSetting, SETTINGS } from '../setting-names.ts';
import { printTable } from '../table.ts';

/** Shows every setting, set or not. */
export async function configList(options: GlobalOptions, context: Context): Promise<void> {
  const { io, config, settings } = context;
  const data = await (await settings()).read();
  if (options.json === true) {
    return io.printJson(Object.fromEntries(SETTINGS.map(({ name, get }) => [name, get(data) ?? null])));
  }
  printTable(io, [
    ['NAME', 'VALUE', 'WHAT IT IS'],
    ...SETTINGS.map(({ name, purpose, get }) => [name, get(data) ?? '-', purpose]),
  ]);
  if (io.terminal) io.note(`They are kept in ${join(config().folder, 'config.json')}.`);
}

/** Prints the value of a setting alone. Errors: `CliError` where it is not set. */
export async function configGet(name: string, options: GlobalOptions, { io, settings }: Context): Promise<void> {
  const value = findSetting(name).get(await (await settings()).read());
  if (options.json === true) return io.printJson({ [name]: value ?? null });
  if (value === undefined) throw new CliError('not_set', EXIT.failed, `${name} is not set.`);
  io.print(value);
}

/** Sets a setting, or with undefined takes it out. */
export async function configSet(
  name: string,
  value: string | undefined,
  options: GlobalOptions,
  { io, settings }: Context,
): Promise<void> {
  const setting = findSetting(name);
  const { update, read } = await settings();
  await update((data) => setting.set(data, value));
  if (options.json === true) io.printJson({ [name]: setting.get(await read()) ?? null });
}
