import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { open, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import { freePort, TEST_SECRET, waitFor } from '@ws-gateway/testkit';
import { start } from './running.js';

// `systemctl reload` right after a start ended the node: SIGHUP was nobody's until the program had been loaded.
it('SIGHUP while a node starts does not end it, and is obeyed when it runs', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'wsg-reload-at-start-'));
  const file = join(folder, 'config.yaml');
  execFileSync('/bin/sh', ['-c', 'mkfifo "$0"', file]);
  const config = {
    ...{ engine: 'memory', auth: { secret: TEST_SECRET }, grpc: { enabled: false }, kafka: { topics: [] } },
    server: { host: '127.0.0.1', port: await freePort() },
  };
  const running = start(['serve', '-c', file]);
  // Resolves when the node has opened its configuration, and lets it read on when this is closed.
  const first = await open(file, 'w');
  running.child.kill('SIGHUP');
  await first.writeFile(JSON.stringify(config));
  await first.close();
  await running.line('"listening"');
  await writeFile(file, JSON.stringify({ ...config, limits: { connectionsPerUser: 1 } }));
  const reloaded = JSON.parse(await running.line('"configuration reloaded"')) as object;
  expect(reloaded).toMatchObject({ changed: ['limits.connectionsPerUser'] });
  running.child.kill('SIGTERM');
  await waitFor(() => running.child.exitCode === 0, { timeoutMs: 20_000, what: 'the node to stop' });
  rmSync(folder, { recursive: true });
}, 60_000);
