import { runCli } from './cli/program.js';

const exitCode = await runCli(process.argv.slice(2));
// A command that failed half-way may have left something open that would keep the process alive.
if (exitCode !== 0) process.exit(exitCode);
