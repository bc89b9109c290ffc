import { join } from 'node:path';
import { problemResponse } from '../../packages/shared/dist/index.js';
import { sendGenerated } from '../send-generated.js';
import { startServerProcess } from '../server-process.js';

/** @type {import('../main.js').Scenario} */
export const generatedRequests = {
  title:
    '10,000 generated requests and 2,000 streams that are nearly HTTP: no 5xx, every error a problem, no stray file',
  async run({ folder, amount, say }) {
    const data = join(folder, 'data');
    const server = await startServerProcess(data);
    const isProblem = (/** @type {unknown} */ body) => {
      const result = problemResponse['~standard'].validate(body);
      return !(result instanceof Promise) && result.issues === undefined;
    };
    const [requests, streams] = [amount(10_000), amount(2000)];
    const { faults, statuses } = await sendGenerated({ url: server.url, data, requests, streams, isProblem });
    const counts = [...statuses].toSorted(([a], [b]) => a - b).map(([status, count]) => `${count} times ${status}`);
    say(counts.join(', '));
    await server.kill();
    return { faults, figures: { requests, streams } };
  },
};
