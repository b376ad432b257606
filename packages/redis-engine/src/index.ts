export { RedisEngine } from './redis-engine.js';
export type { ReapedRow, RedisEngineDependencies, RedisEngineOptions, RedisServer } from './options.js';
export { forgetLayout, type ForgetLayoutOptions, type ForgottenLayout } from './forget-layout.js';
