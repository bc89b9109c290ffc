export * from './api.ts';
export * from './cli-output.ts';
export * from './constants.ts';
