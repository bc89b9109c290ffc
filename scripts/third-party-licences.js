import { readdir, readFile } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { readManifest } from './read-manifest.js';

/**
 * The licences of every package that a bundle contains, which those licences ask to be passed on with it.
 *
 * @param {string} root the folder that the paths start from
 * @param {string[]} inputs the files that went into the bundle
 * @returns {Promise<string>}
 */
export async function thirdPartyLicences(root, inputs) {
  const folders = new Set(inputs.map(packageFolder).filter((folder) => folder !== null));
  const sections = await Promise.all([...folders].map((folder) => licenceOf(join(root, folder))));
  const own = await readFile(join(root, 'LICENSE'), 'utf8');
  const introduction = `${own.trim()}\n\nimgup contains parts of the packages named below, each under its own licence.`;
  return `${[introduction, ...sections.toSorted()].join(`\n\n${'-'.repeat(80)}\n\n`)}\n`;
}

/**
 * @param {string} input
 * @returns {string | null} the folder of the installed package that a file belongs to
 */
function packageFolder(input) {
  const [, folder] = /^(.*\bnode_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(input.replaceAll(sep, '/')) ?? [];
  return folder ?? null;
}

/** @param {string} folder */
async function licenceOf(folder) {
  const { name, version, license, author } = readManifest(join(folder, 'package.json'));
  const file = (await readdir(folder)).find((entry) => /^licen[cs]e(\.(md|txt))?$/i.test(entry));
  const by = typeof author === 'string' ? author : author?.name;
  const text =
    file === undefined
      ? `The package brings no text of its licence${by ? `; its author is ${by}` : ''}.`
      : await readFile(join(folder, file), 'utf8');
  return `${name} ${version} (${license})\n\n${text.trim()}`;
}
