import fs from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { join, relative, resolve, sep } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * A file holds its bytes now, and those of its last fsync (null: never); a folder its entries, in the same way.
 *
 * @typedef {{ kind: 'file', version: number, now: Buffer, kept: Buffer | null, keptVersion: number }} FileNode
 * @typedef {{
 *   kind: 'folder', version: number, now: Map<string, DiskNode>, kept: Map<string, DiskNode>, keptVersion: number,
 * }} FolderNode
 * @typedef {FileNode | FolderNode} DiskNode
 * @typedef {{ root: FolderNode, handles: Map<number, DiskNode>, syncs: Map<number, Snapshot> }} Disk
 * @typedef {{ node: DiskNode, version: number, content: Buffer | Map<string, DiskNode> }} Snapshot
 *
 * @typedef {'nothing' | 'what was not fsynced' | 'some of what was not fsynced'} Forgotten
 * @typedef {ReturnType<typeof watchDisk>} ForgettingDisk
 */

/** What is used of a handle here; each is replaced by one that also takes notes. */
const WRITERS = /** @type {const} */ (['write', 'writev', 'writeFile', 'appendFile', 'truncate']);

/** Changes that no note is taken of, so nobody may make them under a disk that is watched. */
const UNKNOWN = /** @type {const} */ (['appendFile', 'copyFile', 'cp', 'symlink', 'truncate']);

/**
 * Watches what a program does to a folder through node:fs/promises, in this process, so that the folder can be put
 * down as a power cut at any moment would have left it: with files as they were when they were last fsynced, and
 * folders with the entries of their own last fsync. Nothing is really fsynced meanwhile.
 *
 * For tests alone. The folder is empty at the beginning.
 *
 * @param {string} folder
 * @param {{ start?: Disk, ignore?: 'files' | 'folders' | 'both' | null }} [options]
 *   `start`: an earlier disk to go on from, whose files lie in `folder` now; `ignore`: fsyncs without any effect, to see
 *   that they are missed
 */
export function watchDisk(folder, { start, ignore = null } = {}) {
  const root = resolve(folder);
  /** @type {((disk: Disk) => void)[]} */
  const log = [];
  const original = { ...fs };
  let nextId = 0;

  /** @param {unknown} path @returns {string[] | null} */
  function inside(path) {
    if (typeof path !== 'string') return null;
    const parts = relative(root, resolve(path)).split(sep);
    return parts[0] === '..' || parts[0] === '' ? (parts[0] === '' ? [] : null) : parts;
  }

  /**
   * @param {number} id
   * @param {boolean} isFolder
   */
  async function sync(id, isFolder) {
    const snapshot = nextId++;
    log.push((disk) => {
      const node = disk.handles.get(id);
      if (node === undefined) return;
      const content = node.kind === 'file' ? node.now : new Map(node.now);
      disk.syncs.set(snapshot, { node, version: node.version, content });
    });
    // As long as a disk takes, so that other work comes between.
    await sleep(Math.random() * 3);
    if (ignore === 'both' || ignore === (isFolder ? 'folders' : 'files')) return;
    log.push((disk) => {
      const taken = disk.syncs.get(snapshot);
      if (taken !== undefined) keep(taken);
    });
  }

  /** @type {typeof fs.open} */
  const open = async (path, flags, mode) => {
    const handle = await original.open(path, flags, mode);
    const parts = inside(path);
    if (parts === null) return handle;
    const id = nextId++;
    const isFolder = (await handle.stat()).isDirectory();
    const truncates = typeof flags === 'string' && flags.startsWith('w');
    log.push((disk) => {
      const node = isFolder ? folderAt(disk, parts) : fileAt(disk, parts);
      if (truncates) write(node, () => Buffer.alloc(0));
      disk.handles.set(id, node);
    });
    const target = /** @type {Record<string, unknown>} */ (/** @type {unknown} */ (handle));
    for (const name of WRITERS) {
      const method = /** @type {(...args: unknown[]) => Promise<unknown>} */ (target[name]).bind(handle);
      target[name] = async (/** @type {unknown[]} */ ...args) => {
        const result = await method(...args);
        const written = writtenBy(name, args, result);
        log.push((disk) => {
          write(disk.handles.get(id), (before) =>
            written === null ? Buffer.alloc(0) : Buffer.concat([before, written]),
          );
        });
        return result;
      };
    }
    target['sync'] = () => sync(id, isFolder);
    target['datasync'] = target['sync'];
    return handle;
  };

  /** @type {typeof fs.writeFile} */
  const writeFile = async (path, data, options) => {
    await original.writeFile(path, data, options);
    const parts = inside(path);
    if (parts === null) return;
    const content = await original.readFile(path);
    const id = nextId++;
    log.push((disk) => {
      const node = fileAt(disk, parts);
      disk.handles.set(id, node);
      write(node, () => content);
    });
    if (typeof options === 'object' && options !== null && 'flush' in options && options.flush === true) {
      await sync(id, false);
    }
  };

  /** @type {typeof fs.rename} */
  const rename = async (from, to) => {
    await original.rename(from, to);
    const [before, after] = [inside(from), inside(to)];
    if (before === null || after === null) return;
    log.push((disk) => {
      const node = nodeAt(disk, before);
      if (node === undefined || nodeAt(disk, after) === node) return;
      enter(disk, before, undefined);
      enter(disk, after, node);
    });
  };

  /** @type {typeof fs.link} */
  const link = async (from, to) => {
    await original.link(from, to);
    const [before, after] = [inside(from), inside(to)];
    if (before === null || after === null) return;
    log.push((disk) => {
      enter(disk, after, nodeAt(disk, before));
    });
  };

  /** @param {unknown} path */
  function noteRemoval(path) {
    const parts = inside(path);
    if (parts === null) return;
    log.push((disk) => {
      if (nodeAt(disk, parts) !== undefined) enter(disk, parts, undefined);
    });
  }

  /** @type {typeof fs.rm} */
  const rm = async (path, options) => {
    await original.rm(path, options);
    noteRemoval(path);
  };

  /** @type {typeof fs.unlink} */
  const unlink = async (path) => {
    await original.unlink(path);
    noteRemoval(path);
  };

  /** @type {typeof fs.rmdir} */
  const rmdir = async (path, options) => {
    await original.rmdir(path, options);
    noteRemoval(path);
  };

  const mkdir = /** @type {typeof fs.mkdir} */ (
    async (/** @type {string} */ path, /** @type {import('node:fs').MakeDirectoryOptions} */ options) => {
      const made = await original.mkdir(path, options);
      const parts = inside(path);
      if (parts !== null) {
        log.push((disk) => {
          for (let length = 1; length <= parts.length; length += 1) folderAt(disk, parts.slice(0, length));
        });
      }
      return made;
    }
  );

  const replaced = { open, writeFile, rename, link, rm, unlink, rmdir, mkdir };
  const refused = UNKNOWN.map((name) => [
    name,
    (/** @type {unknown[]} */ ...args) => {
      if (args.some((arg) => inside(arg) !== null)) throw new Error(`fs.${name} is not known to watchDisk()`);
      return /** @type {(...args: unknown[]) => unknown} */ (original[name])(...args);
    },
  ]);
  Object.assign(fs, replaced, Object.fromEntries(refused));
  syncBuiltinESMExports();

  return {
    /** How much has happened so far. */
    position: () => log.length,

    /** Ends the watching. */
    release() {
      Object.assign(fs, original);
      syncBuiltinESMExports();
    },

    /**
     * Puts the folder down elsewhere as it was at a position, and tells how the disk was then. Call `release` first.
     *
     * @param {number} position
     * @param {string} target a folder that is not there yet
     * @param {Forgotten} forgotten `nothing`: as a killed process leaves it, the page cache being the system's
     * @returns {Promise<Disk>}
     */
    async putDown(position, target, forgotten, random = Math.random) {
      const disk = start === undefined ? emptyDisk() : copyOf(start);
      for (const change of log.slice(0, position)) change(disk);
      await putDownNode(disk.root, target, forgotten, random);
      return disk;
    },
  };
}

/** @returns {Disk} */
function emptyDisk() {
  return { root: newFolder(), handles: new Map(), syncs: new Map() };
}

/** @param {Disk} disk @returns {Disk} */
function copyOf(disk) {
  /** @type {Map<DiskNode, DiskNode>} */
  const copies = new Map();
  const copyNode = (/** @type {DiskNode} */ node) => {
    const known = copies.get(node);
    if (known !== undefined) return known;
    /** @type {DiskNode} */
    const copy = { ...node };
    copies.set(node, copy);
    if (copy.kind === 'folder') {
      copy.now = new Map([...copy.now].map(([name, child]) => [name, copyNode(child)]));
      copy.kept = new Map([...copy.kept].map(([name, child]) => [name, copyNode(child)]));
    }
    return copy;
  };
  return { root: /** @type {FolderNode} */ (copyNode(disk.root)), handles: new Map(), syncs: new Map() };
}

/** @returns {FolderNode} */
function newFolder() {
  return { kind: 'folder', version: 0, now: new Map(), kept: new Map(), keptVersion: 0 };
}

/** @param {Snapshot} snapshot */
function keep({ node, version, content }) {
  // Of two fsyncs at once, the one that began later has seen more, whichever ends first.
  if (version < node.keptVersion) return;
  node.keptVersion = version;
  if (node.kind === 'file' && Buffer.isBuffer(content)) node.kept = content;
  if (node.kind === 'folder' && content instanceof Map) node.kept = content;
}

/**
 * @param {DiskNode | undefined} node
 * @param {(before: Buffer) => Buffer} change
 */
function write(node, change) {
  if (node?.kind !== 'file') return;
  node.now = change(node.now);
  node.version += 1;
}

/** @param {Disk} disk @param {string[]} parts @returns {DiskNode | undefined} */
function nodeAt(disk, parts) {
  /** @type {DiskNode | undefined} */
  let node = disk.root;
  for (const part of parts) node = node?.kind === 'folder' ? node.now.get(part) : undefined;
  return node;
}

/** @param {Disk} disk @param {string[]} parts @param {DiskNode | undefined} node */
function enter(disk, parts, node) {
  const parent = nodeAt(disk, parts.slice(0, -1));
  const name = parts.at(-1);
  if (parent?.kind !== 'folder' || name === undefined) return;
  if (node === undefined) parent.now.delete(name);
  else parent.now.set(name, node);
  parent.version += 1;
}

/** @param {Disk} disk @param {string[]} parts */
function folderAt(disk, parts) {
  const known = nodeAt(disk, parts);
  if (known !== undefined) return known;
  const made = newFolder();
  enter(disk, parts, made);
  return made;
}

/** @param {Disk} disk @param {string[]} parts */
function fileAt(disk, parts) {
  const known = nodeAt(disk, parts);
  if (known !== undefined) return known;
  /** @type {FileNode} */
  const made = { kind: 'file', version: 0, now: Buffer.alloc(0), kept: null, keptVersion: 0 };
  enter(disk, parts, made);
  return made;
}

/**
 * What a call on a handle has appended, or null where it has emptied the file. The position is always the end: no
 * program here writes in the middle of a file.
 *
 * @param {typeof WRITERS[number]} name
 * @param {unknown[]} args
 * @param {unknown} result
 */
function writtenBy(name, args, result) {
  if (name === 'truncate') return null;
  const [data] = args;
  const whole =
    name === 'writev'
      ? Buffer.concat(/** @type {Uint8Array[]} */ (data))
      : Buffer.from(/** @type {string | Uint8Array} */ (data));
  const written = /** @type {{ bytesWritten?: number } | undefined} */ (result)?.bytesWritten;
  return whole.subarray(0, written ?? whole.length);
}

/**
 * @param {DiskNode} node
 * @param {string} target
 * @param {Forgotten} forgotten
 * @param {() => number} random
 */
async function putDownNode(node, target, forgotten, random) {
  const keepsNow = () =>
    forgotten === 'nothing' ? true : forgotten === 'some of what was not fsynced' && random() < 0.5;
  if (node.kind === 'file') {
    const content = keepsNow() ? node.now : (node.kept ?? Buffer.alloc(0));
    await fs.writeFile(target, content, { mode: 0o600 });
    return;
  }
  await fs.mkdir(target, { recursive: true, mode: 0o700 });
  for (const name of new Set([...node.kept.keys(), ...node.now.keys()])) {
    const child = (keepsNow() ? node.now : node.kept).get(name);
    if (child !== undefined) await putDownNode(child, join(target, name), forgotten, random);
  }
}
