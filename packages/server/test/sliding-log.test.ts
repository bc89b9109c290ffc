import { createMemorySlidingLog } from '../src/adapters/memory/sliding-log.ts';
import { slidingLogContract } from './contracts/sliding-log.ts';

slidingLogContract('memory', async (now) => (_name, options) => createMemorySlidingLog({ ...options, now }));
