import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { registerPerson } from '../person.js';
import { uniquePng } from '../pictures.js';
import { startServerProcess } from '../server-process.js';

const PROCESSES = 50;
const LIMIT = 5;

/** @type {import('../main.js').Scenario} */
export const parallelUploads = {
  title: '50 `imgup upload` at once with an expired access token, 20 times; and once more with the upload limit at 5',
  async run({ folder, amount, say }) {
    const data = join(folder, 'data');
    /** Others each time: what the server has already takes no slot. */
    const newPictures = () =>
      Promise.all(
        Array.from({ length: PROCESSES }, async (_, index) => {
          const path = join(folder, `${index}.png`);
          await writeFile(path, uniquePng(20_000));
          return path;
        }),
      );
    /** @type {string[]} */
    const faults = [];

    const free = await startServerProcess(data);
    const person = await registerPerson(join(folder, 'home'), free.url);
    const rounds = amount(20);
    let links = 0;
    /** @type {number[]} */
    const rotations = [];
    /** @type {number[]} */
    const seconds = [];
    for (let round = 1; round <= rounds; round += 1) {
      const pictures = await newPictures();
      await person.expire();
      const before = await generations(data);
      const started = performance.now();
      const outcomes = await Promise.all(pictures.map((path) => person.imgup(['upload', path])));
      seconds.push((performance.now() - started) / 1000);
      rotations.push((await generations(data)) - before);
      for (const { code, stdout, stderr } of outcomes) {
        if (code === 0 && /^http\S+\n$/.test(stdout)) links += 1;
        else faults.push(`round ${round}: exit code ${code}: ${stderr.trim()}`);
      }
    }
    if (Math.max(...rotations) > 3) faults.push(`a round took ${Math.max(...rotations)} rotations`);
    const alive = await person.imgup(['whoami']);
    if (alive.code !== 0) faults.push(`after all rounds, whoami ended with ${alive.code}: ${alive.stderr.trim()}`);
    await free.stop();
    say(`rotations in each round: ${rotations.join(' ')}`);
    say(`seconds of each round: ${seconds.map((each) => each.toFixed(1)).join(' ')}`);

    // The same data and the same person, as after a restart with another setting.
    const settings = { uploadLimit: { uploads: LIMIT, windowMs: 60_000 }, port: Number(new URL(free.url).port) };
    const limited = await startServerProcess(data, { settings });
    const pictures = await newPictures();
    await person.expire();
    const outcomes = await Promise.all(pictures.map((path) => person.imgup(['upload', path, '--no-wait'])));
    /** @type {Map<string, number>} */
    const codes = new Map();
    for (const { code } of outcomes) codes.set(`${code}`, (codes.get(`${code}`) ?? 0) + 1);
    say(
      `with the limit at ${LIMIT}: ${[...codes].map(([code, number]) => `${number} with exit code ${code}`).join(', ')}`,
    );
    if (codes.get('0') !== LIMIT || codes.get('6') !== PROCESSES - LIMIT) faults.push('the limit was not exact');
    const after = await person.imgup(['whoami']);
    if (after.code !== 0) faults.push(`beyond the limit, whoami ended with ${after.code}: ${after.stderr.trim()}`);
    await limited.stop();
    return { faults, figures: { 'uploads sent': rounds * PROCESSES, links } };
  },
};

/** How often sessions have been rotated, as the server has it on its disk. @param {string} data */
async function generations(data) {
  const { sessions } = /** @type {{ sessions: Record<string, { counter: number }> }} */ (
    JSON.parse(await readFile(join(data, 'db.json'), 'utf8'))
  );
  return Object.values(sessions).reduce((sum, { counter }) => sum + counter, 0);
}
