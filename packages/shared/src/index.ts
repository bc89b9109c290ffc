export * from './api.ts';
export * from './cli-output.ts';
export * from './limits.ts';
export * from './paths.ts';
export * from './problems.ts';
