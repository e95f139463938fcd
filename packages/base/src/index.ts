export * from './assert.ts';
export * from './bytes.ts';
export * from './errors.ts';
export * from './limits.ts';
export * from './ports.ts';
export * from './signer-error.ts';
