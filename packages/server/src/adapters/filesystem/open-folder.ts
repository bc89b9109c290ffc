import { open } from 'node:fs/promises';

/** A folder that is open, so that several of its changes can be made durable one after the other. */
export interface OpenFolder {
  /** Makes the renames, links and removals in it until now durable. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** Windows cannot open folders, and its file systems log what happens in them. */
const WINDOWS: OpenFolder = { sync: () => Promise.resolve(), close: () => Promise.resolve() };

export async function openFolder(path: string): Promise<OpenFolder> {
  return process.platform === 'win32' ? WINDOWS : open(path, 'r');
}
