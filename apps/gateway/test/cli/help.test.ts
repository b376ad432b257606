import { execFileSync } from 'node:child_process';
import { describe, expect, test } from '@jest/globals';
import type { Command } from 'commander';
import { ProgressBar } from '../../src/cli/progress-bar.js';
import { createProgram } from '../../src/cli/program.js';
import { program, run } from './running.js';

function visible(command: Command): Command[] {
  const shown = new Set(command.createHelp().visibleCommands(command));
  return command.commands.filter((child) => shown.has(child));
}

/** Lists the program and every command below it, by what is typed. */
function commands(command: Command = createProgram(), path = 'ws-gateway'): [string, Command][] {
  return [[path, command], ...visible(command).flatMap((child) => commands(child, `${path} ${child.name()}`))];
}

const names = (command: Command): string[] => visible(command).map((child) => child.name());

describe('--help', () => {
  test.each(commands())('%s has an example that is its own', (path, command) => {
    let help = '';
    command.configureOutput({ writeOut: (text) => (help += text) }).outputHelp();
    const [, examples = ''] = /\nExamples?:\n([^]*)$/.exec(help) ?? [];
    expect(examples).toContain(`${path} `);
    expect(command.description()).not.toBe('');
  });

  test('lists every verb', () => {
    const verbs =
      'serve dev token listen produce publish explain dlq topics status block unblock disconnect drain config loadtest';
    expect(names(createProgram())).toEqual(expect.arrayContaining(verbs.split(' ')));
  });
});

describe('completion', () => {
  /** Lists what bash would offer behind these words. */
  function offered(script: string, ...words: readonly string[]): string[] {
    const typed = ['ws-gateway', ...words].map((word) => `'${word}'`).join(' ');
    const ask = `COMP_WORDS=(${typed}); COMP_CWORD=${words.length}; _ws_gateway; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const output = execFileSync('bash', ['-c', `${script}\n${ask}`], { encoding: 'utf8' });
    return output.split('\n').filter((line) => line !== '');
  }

  test('bash knows what to call', () => {
    const ask = 'source <("$0" completion bash); complete -p ws-gateway';
    expect(execFileSync('bash', ['-c', ask, program], { encoding: 'utf8' })).toBe(
      'complete -F _ws_gateway ws-gateway\n',
    );
  });

  test('bash offers commands, the commands below them, and options', async () => {
    const { stdout: script } = await run(['completion', 'bash']);
    expect(offered(script, '')).toEqual(expect.arrayContaining(names(createProgram())));
    expect(offered(script, 'to')).toEqual(['token', 'topics']);
    expect(offered(script, 'topics', 'c')).toEqual(['create', 'check']);
    expect(offered(script, 'topics', 'create', '--p')).toEqual(['--partitions']);
    // A word of the user's own is no command.
    expect(offered(script, 'produce', 'topics', '--us')).toEqual(['--user']);
    expect(offered(script, 'produce', '--user', '')).toEqual([]);
  });

  test.each(['bash', 'zsh', 'fish'])('%s has every command and every option', async (shell) => {
    const { code, stdout } = await run(['completion', shell]);
    expect(code).toBe(0);
    for (const [path, command] of commands()) {
      expect(stdout).toContain(`'${path.slice('ws-gateway'.length)}'`);
      for (const { long } of command.options) {
        expect(stdout).toContain(shell === 'fish' ? ` -l ${long!.slice(2)}` : long);
      }
    }
  });

  test('of another shell is bad usage', async () => {
    expect(await run(['completion', 'tcsh'])).toMatchObject({ code: 2, stdout: '' });
  });
});

describe('the progress bar', () => {
  function drawn(isTTY: boolean): string[] {
    const written: string[] = [];
    const bar = new ProgressBar({ isTTY, write: (text: string | Uint8Array) => written.push(String(text)) > 0 });
    bar.show({ phase: 'connecting', done: 0, total: 20 });
    bar.show({ phase: 'delivering', done: 50, total: 100 });
    bar.show({ phase: 'delivering', done: 100, total: 100 });
    bar.end();
    return written;
  }

  test('is drawn over itself on a terminal, and leaves nothing behind', () => {
    const [full, half] = ['#'.repeat(30), '#'.repeat(15) + '.'.repeat(15)];
    expect(drawn(true).slice(1)).toEqual([
      `\r\u001b[Kdelivering [${half}] 50 of 100`,
      `\r\u001b[Kdelivering [${full}] 100 of 100`,
      '\r\u001b[K',
    ]);
  });

  test('is a line for each phase elsewhere', () => {
    expect(drawn(false)).toEqual(['connecting 20\n', 'delivering 100\n']);
  });
});
