import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { registerPerson } from '../person.js';
import { startServerProcess } from '../server-process.js';
import { openSlowWay } from '../slow-way.js';

/** How many refreshes are timed before the first kill, to know when one is under way. */
const TIMED = 15;

/** The longest that each direction of an exchange takes, in milliseconds. */
const LATENCY = 25;

/** @type {import('../main.js').Scenario} */
export const killedRefreshes = {
  title: '200 times SIGKILL at a random instant of a refresh, after each of which the session must live',
  async run({ folder, amount, say }) {
    const server = await startServerProcess(join(folder, 'data'));
    const way = await openSlowWay(server.url, () => Math.random() * LATENCY);
    const person = await registerPerson(join(folder, 'home'), way.url);
    const kills = amount(200);

    const { asked, lasts } = await timeRefreshes(person, way);
    say(
      `a refresh is asked for ${asked.toFixed(0)} ms after the start, and the command ends ${lasts.toFixed(0)} ms later`,
    );

    /** Some before the refresh is asked for, when the lock is taken and the credential read; most of them after. */
    const randomInstant = async () => {
      if (Math.random() < 0.25) return sleep(asked - Math.random() * 60);
      const giveUp = performance.now() + 10_000;
      while (way.progress() === 'not asked' && performance.now() < giveUp) await sleep(1);
      return sleep(Math.random() * lasts);
    };

    /** @type {string[]} */
    const faults = [];
    /** @type {Record<string, number>} */
    const found = {};
    let survived = 0;
    let tooLate = 0;
    for (let kill = 0; kill < kills;) {
      await person.expire();
      way.reset();
      const before = await person.credentials();
      const { child, ended } = person.start(['whoami']);
      await randomInstant();
      child.kill('SIGKILL');
      const { code } = await ended;
      if (code !== 'SIGKILL') {
        tooLate += 1;
        continue;
      }
      kill += 1;
      const progress = way.progress();
      const stored = progress === 'answered' && (await person.credentials()) !== before ? 'stored' : progress;
      found[stored] = (found[stored] ?? 0) + 1;
      // At times another is killed on top of it, so that one has to live with what the one before has left.
      if (Math.random() < 0.3) {
        const second = person.start(['whoami']);
        await sleep(asked + Math.random() * lasts);
        second.child.kill('SIGKILL');
        await second.ended;
      }
      const after = await person.imgup(['whoami']);
      if (after.code === 0) survived += 1;
      else {
        faults.push(`after kill ${kill} (${stored}), whoami ended with ${after.code}: ${after.stderr.trim()}`);
        await person.imgup(['login', '--username', 'ada', '--password-stdin'], 'a long enough secret');
      }
    }
    say(
      `killed when the refresh was: ${Object.entries(found)
        .map(([what, number]) => `${what} ${number}`)
        .join(', ')}`,
    );
    say(`${tooLate} more had ended by themselves before their kill, and are not counted`);
    way.close();
    await server.stop();
    return { faults, figures: { kills, 'times the session lived on': survived } };
  },
};

/**
 * In the middle, in milliseconds: when a refresh is asked for after the start, and when the command ends after that.
 *
 * @param {import('../person.js').Person} person
 * @param {Awaited<ReturnType<typeof openSlowWay>>} way
 */
async function timeRefreshes(person, way) {
  /** @type {number[]} */
  const asked = [];
  /** @type {number[]} */
  const lasts = [];
  for (let time = 0; time < TIMED; time += 1) {
    await person.expire();
    way.reset();
    const started = performance.now();
    const { ended } = person.start(['whoami']);
    while (way.progress() === 'not asked') await sleep(1);
    const askedAt = performance.now();
    await ended;
    asked.push(askedAt - started);
    lasts.push(performance.now() - askedAt);
  }
  const middle = (/** @type {number[]} */ times) => times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)] ?? 0;
  return { asked: middle(asked), lasts: middle(lasts) };
}
