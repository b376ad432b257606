#!/usr/bin/env node
/**
 * node scripts/boot.mjs <start|demo|build|test|check|docs|site|release> [arguments]
 *
 * Runs under any Node from 18 on and without any package: it brings the pinned Node and everything else by itself, so
 * that a fresh clone needs nothing but git and some Node.
 */
import { check } from './boot/check.mjs';
import { release } from './boot/release.mjs';
import { site } from './boot/site.mjs';
import { test } from './boot/test.mjs';
import { build, install, run, runForeground } from './boot/toolchain.mjs';

const GATEWAY = 'apps/gateway/bin/ws-gateway';

const verbs = {
  async start(args) {
    await build();
    return runForeground(GATEWAY, ['dev', ...args]);
  },
  async demo(args) {
    await build();
    return runForeground(GATEWAY, ['dev', '--demo', ...args]);
  },
  async build(args) {
    await build({ quiet: false, args });
    return 0;
  },
  test,
  check,
  release,
  site,
  /** Writes what is generated from the code. */
  async docs() {
    await build();
    return (await run('node', ['scripts/generate-docs.mjs'])).code;
  },
  /** Runs anything else with the pinned tools on the PATH, such as `exec jest packages/core`. */
  async exec([command, ...args]) {
    return (await run(command, args)).code;
  },
};

const [verb, ...args] = process.argv.slice(2);
if (!Object.hasOwn(verbs, verb ?? '')) {
  console.error(`usage: node scripts/boot.mjs <${Object.keys(verbs).join('|')}> [arguments]`);
  process.exit(2);
}
try {
  await install();
  process.exitCode = await verbs[verb](args);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
