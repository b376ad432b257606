import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { LocalServersError } from './errors.js';

export interface ProgramOptions {
  readonly command: string;
  readonly args: readonly string[];
  /** Path of the file that receives stdout and stderr; each start begins it anew. */
  readonly logFile: string;
  /** Pattern of a log line that proves that this very process is ready (another one may answer on the port). */
  readonly ready: RegExp;
  readonly readyTimeoutMs: number;
  /** Seconds the program may take to end by itself after SIGTERM. */
  readonly graceSeconds: number;
}

/** A started server program. It ends with this process at the latest, however this process ends. */
export interface Program {
  readonly running: boolean;
  /** Sends SIGTERM, and SIGKILL after the grace time. Resolves when the program is gone. Idempotent. */
  stop(): Promise<void>;
  /** Sends SIGKILL, as a crash would. Resolves when the program is gone. */
  kill(): Promise<void>;
}

/**
 * The shell holds the read end of a pipe whose only write end is ours. The kernel closes it when we end, also by
 * SIGKILL: the one sign of a parent's death that needs neither polling nor platform calls. `stop` closes it on purpose,
 * so both ways are the same way.
 *
 * The program holds descriptor 4, a pipe to us that carries nothing. It ends with the program, which may be later than the
 * shell: a killed process keeps its port until the kernel has taken back its memory.
 */
const WATCHDOG = `
exec 3<&0
grace=$1; shift
"$@" </dev/null 3<&- &
child=$!
(
  read -r _ <&3
  kill -TERM $child
  tenths=0
  while kill -0 $child && [ $tenths -lt $((grace * 10)) ]; do sleep 0.1; tenths=$((tenths + 1)); done
  kill -KILL $child
) >/dev/null 2>&1 4>&- &
watch=$!
wait $child
code=$?
kill $watch 2>/dev/null
exit $code
`;

const POLL_MS = 20;
const LOG_LINES_SHOWN = 8;

export async function startProgram(options: ProgramOptions): Promise<Program> {
  const log = openSync(options.logFile, 'w');
  // The program gets a process group of its own: Ctrl-C in the terminal must reach the gateway first, which still needs
  // its servers to drain.
  const child = spawn(
    '/bin/sh',
    ['-c', WATCHDOG, 'watchdog', String(options.graceSeconds), options.command, ...options.args],
    {
      stdio: ['pipe', log, log, 'ignore', 'pipe'],
      detached: true,
    },
  );
  closeSync(log);
  // It comes when descriptor 4 has ended as well.
  const exited = once(child, 'close');
  const lifeline = child.stdio[4] as Socket;
  lifeline.resume();
  // A program must not keep this process alive.
  child.unref();
  lifeline.unref();
  (child.stdin as Socket).unref();
  // The pipe breaks when the program ends first; `close` tells that already.
  child.stdin?.on('error', () => undefined);
  const program = programOf(child, lifeline, exited);
  try {
    await ready(options, program);
  } catch (error) {
    await program.stop();
    throw error;
  }
  return program;
}

function programOf(child: ChildProcess, lifeline: Socket, exited: Promise<unknown>): Program {
  const running = (): boolean => child.exitCode === null && child.signalCode === null;
  const gone = async (): Promise<void> => {
    if (running()) child.ref();
    lifeline.ref();
    await exited;
  };
  return {
    get running() {
      return running();
    },
    stop() {
      child.stdin?.end();
      return gone();
    },
    kill() {
      if (running() && child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
      return gone();
    },
  };
}

async function ready(options: ProgramOptions, program: Program): Promise<void> {
  const deadline = Date.now() + options.readyTimeoutMs;
  while (!options.ready.test(readFileSync(options.logFile, 'utf8'))) {
    const ended = !program.running;
    if (ended || Date.now() > deadline) {
      const what = ended ? 'ended before it was ready' : `was not ready after ${options.readyTimeoutMs / 1000} s`;
      throw new LocalServersError('start_failed', `${options.command} ${what}; ${lastLines(options.logFile)}`);
    }
    await delay(POLL_MS);
  }
}

function lastLines(logFile: string): string {
  const lines = readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-LOG_LINES_SHOWN);
  return `the end of ${logFile}:\n  ${lines.join('\n  ')}`;
}

export interface CommandResult {
  readonly ok: boolean;
  /** stdout and stderr together, in the order they came. */
  readonly output: string;
}

/** Runs a command to its end. Never rejects: a command that cannot be found or takes too long is not ok. */
export function runCommand(
  command: string,
  args: readonly string[],
  { timeoutMs, ...options }: { timeoutMs: number; cwd?: string },
): Promise<CommandResult> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
    // `spawn` has a `timeout` of its own, which keeps the process for that time when the command cannot be found.
    const timer = setTimeout(() => child.kill(), timeoutMs);
    const finish = (ok: boolean, more = ''): void => {
      clearTimeout(timer);
      resolve({ ok, output: Buffer.concat(chunks).toString() + more });
    };
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.once('error', (error) => finish(false, error.message));
    child.once('close', (code, signal) =>
      finish(code === 0, signal === null ? '' : `ended by ${signal} after at most ${timeoutMs / 1000} s`),
    );
  });
}
