// All but the schemas, which take a start's time to make.
export * from './limits.ts';
export * from './paths.ts';
export * from './problems.ts';
