import { createHmac } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { TEST_SECRET } from '@ws-gateway/testkit';
import { program, run } from './running.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'wsg-cli-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text, { mode: 0o755 });
  return path;
}

const JWT_SECRET = TEST_SECRET;

describe('usage', () => {
  test('--version names the commit of the checkout', async () => {
    const { code, stdout } = await run(['--version']);
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^\d+\.\d+\.\d+ \(commit [0-9a-f]{12}\)\n$/)]);
  });

  test.each([
    [['serve', '--help'], 'Usage: ws-gateway serve'],
    [['topics', 'create', '--help'], 'Example:'],
    [['--version'], '0.1.0'],
    [['help', 'token'], 'Usage: ws-gateway token'],
  ])('%j says it on standard output and exits 0', async (args, text) => {
    const { code, stdout, stderr } = await run(args);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toContain(text);
  });

  test.each([
    [[], 'Usage: ws-gateway'],
    [['nope'], "unknown command 'nope'"],
    [['serve', '--nope'], "unknown option '--nope'"],
    [['serve', 'extra'], 'too many arguments'],
    [['token'], "required option '--user <id>' not specified"],
    [['token', '--user', ''], 'A user id is 1 to 128 characters'],
    [['token', '--user', 'u1', '--ttl', '10'], 'It must be a duration with a unit'],
    [['token', '--user', 'u1', '--topics', 'a,b c'], 'A name is 1 to 128 characters'],
    [['token', '--user', 'u1', '--claim', 'desks'], 'A claim is <name>=<value>'],
    [['listen', 'ws://host/ws', '--topics', 'a/k/'], 'A name is 1 to 128 characters'],
    [['produce', '--payload', '1'], "missing required argument 'topic'"],
    [['produce', 'notifications', '--payload', '{'], 'It must be JSON'],
    [['produce', 'notifications', '--payload', '1', '--header', 'x'], 'It must be name=value'],
    [['produce', 'notifications', '--payload', '1', '--count', '0'], 'It must be a whole number from 1'],
    [['produce', 'a b', '--payload', '1'], '"a b" is not a topic name'],
    [['listen', 'localhost'], 'It must be ws:// or wss:// and a host'],
    [['topics'], 'Usage: ws-gateway topics'],
    [
      ['topics', 'check', '--brokers', 'nowhere'],
      'kafka.bootstrapServers: must be host:port, or several of them separated by commas, not "nowhere"',
    ],
  ])('%j exits 2 and says why on standard error', async (args, text) => {
    const { code, stdout, stderr } = await run(args);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain(text);
  });
});

describe('token', () => {
  const claimsOf = (token: string): Record<string, unknown> => {
    const [head, claims, signature] = token.split('.');
    expect(createHmac('sha256', JWT_SECRET).update(`${head}.${claims}`).digest('base64url')).toBe(signature);
    return JSON.parse(Buffer.from(claims!, 'base64url').toString()) as Record<string, unknown>;
  };

  test('prints a token signed with the secret, and nothing else', async () => {
    const { code, stdout, stderr } = await run(['token', '--user', 'u1', '--ttl', '2m', '--topics', 'a,b'], {
      env: { JWT_SECRET, JWT_ISSUER: 'me', WSGATEWAY_AUTH_AUDIENCE: 'you' },
    });
    expect([code, stderr]).toEqual([0, '']);
    const { iat, exp, ...claims } = claimsOf(stdout.trimEnd());
    expect(claims).toEqual({ sub: 'u1', topics: ['a', 'b'], iss: 'me', aud: 'you' });
    expect((exp as number) - (iat as number)).toBe(120);
  });

  test('as JSON says until when it is valid', async () => {
    const { stdout } = await run(['token', '--user', 'u1', '--ttl', '0', '--json', '--claim', 'desks=emea,17'], {
      env: { JWT_SECRET, WSGATEWAY_AUTH_USER_CLAIM: 'uid' },
    });
    const { token, expires_at: expiresAt } = JSON.parse(stdout) as { token: string; expires_at: unknown };
    expect(expiresAt).toBeNull();
    expect(claimsOf(token)).toEqual({ uid: 'u1', iat: expect.any(Number), desks: ['emea', '17'] });
  });

  test('needs the secret', async () => {
    const { code, stderr } = await run(['token', '--user', 'u1']);
    expect([code, stderr]).toEqual([
      2,
      'ws-gateway: auth.secret: missing; set JWT_SECRET to the secret of the gateway\n',
    ]);
  });
});

describe('config', () => {
  test('check says ok', async () => {
    const config = file('good.yaml', 'server: {port: 8081}');
    expect(await run(['config', 'check', '-c', config], { env: { JWT_SECRET } })).toMatchObject({
      code: 0,
      stdout: `${config}: ok\n`,
      stderr: '',
    });
  });

  test('check lists all findings and exits 2', async () => {
    const config = file('bad.yaml', 'server: {port: x}\nkafak: {}');
    const { code, stdout, stderr } = await run(['config', 'check', '-c', config]);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain('3 problems in the configuration:');
    for (const path of ['server.port: ', 'kafak: unknown key; did you mean kafka?', 'auth.secret: missing']) {
      expect(stderr).toContain(`\n  ${path}`);
    }
  });

  test('check --json is data also when there are findings', async () => {
    const { code, stdout, stderr } = await run(['config', 'check', '--json']);
    expect([code, stderr]).toEqual([2, '']);
    expect(JSON.parse(stdout)).toMatchObject({ ok: false, file: null, findings: [{ path: 'auth.secret' }] });
  });

  test('check finds a key file that is no key', async () => {
    const key = file('key.pem', 'not a key');
    const { code, stderr } = await run(['config', 'check'], {
      env: { WSGATEWAY_AUTH_ALGORITHMS: 'RS256', WSGATEWAY_AUTH_PUBLIC_KEY_FILE: key },
    });
    expect(code).toBe(2);
    expect(stderr).toContain('auth.publicKeyFile: must hold a public key or certificate, PEM');
  });

  test('config.yaml of the working directory is the default', async () => {
    file('config.yaml', 'server: {port: 8099}');
    const { stdout } = await run(['config', 'print', '--json'], { cwd: folder });
    expect(JSON.parse(stdout)).toMatchObject({ server: { port: 8099 } });
  });

  test('print shows YAML that can be read again, with secrets masked', async () => {
    const { code, stdout } = await run(['config', 'print'], {
      env: { JWT_SECRET, WSGATEWAY_REDIS_PASSWORD: 'hunter2' },
    });
    expect(code).toBe(0);
    expect(stdout).toMatch(/^auth:\n {2}secret: '\*{8}'$/m);
    expect(stdout).not.toMatch(new RegExp(`hunter2|${JWT_SECRET}`));
    const again = await run(['config', 'check', '-c', file('printed.yaml', stdout)], { env: { JWT_SECRET } });
    expect(again).toMatchObject({ code: 0, stderr: '' });
  });

  test('docs prints docs/configuration.md', async () => {
    const { stdout } = await run(['config', 'docs']);
    expect(stdout).toBe(readFileSync(new URL('../../../../docs/configuration.md', import.meta.url), 'utf8'));
  });

  test('serve with findings starts nothing and exits 2', async () => {
    const { code, stdout, stderr } = await run(['serve', '--port', '99999', '--role', 'boss']);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain('server.port: must be a whole number from 0 to 65535, not 99999 (--port)');
    expect(stderr).toContain('role: must be one of all, edge, router, not "boss" (--role)');
    expect(stderr).toContain('auth.secret: missing');
  });
});

describe('the launcher', () => {
  test('works through links, absolute and relative, from any folder', async () => {
    mkdirSync(join(folder, 'bin'));
    symlinkSync(program, join(folder, 'ws-gateway'));
    symlinkSync('../ws-gateway', join(folder, 'bin', 'wsg'));
    expect(await run(['--version'], { program: join(folder, 'bin', 'wsg'), cwd: '/tmp' })).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^\d+\.\d+\.\d+ /),
    });
  });

  test('says what to do when the program was not built', async () => {
    const { code, stderr } = await run(['--version'], { program: copied('unbuilt', false) });
    expect(code).toBe(1);
    expect(stderr).toMatch(/^ws-gateway: not built yet \(.*\/dist\/main\.js is missing\); run: npm run build\n$/);
  });

  test('refuses a Node that is too old, and says so when there is none', async () => {
    const own = copied('elsewhere', true);
    const tools = join(folder, 'tools');
    mkdirSync(tools);
    for (const tool of ['sh', 'dirname', 'uname', 'readlink']) symlinkSync(whereIs(tool), join(tools, tool));
    const none = await run(['--version'], { program: own, env: { PATH: tools } });
    expect(none).toMatchObject({ code: 1, stderr: expect.stringContaining('there is no node on the PATH') });
    writeFileSync(join(tools, 'node'), '#!/bin/sh\necho 20.19.0\n', { mode: 0o755 });
    const old = await run(['--version'], { program: own, env: { PATH: tools } });
    expect(old).toMatchObject({ code: 1, stderr: expect.stringContaining('the one on the PATH is 20.19.0') });
    writeFileSync(join(tools, 'node'), '#!/bin/sh\n[ "$1" = -p ] && echo 22.18.0 || echo "ran $*"\n');
    const good = await run(['--version'], { program: own, env: { PATH: tools } });
    expect(good).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^ran (--max-old-space-size=\d+ )?\/.*\/dist\/main\.js --version\n$/),
    });
  });

  /** Copies the launcher into a folder that has no pinned Node on the way up. */
  function copied(name: string, built: boolean): string {
    mkdirSync(join(folder, name, 'bin'), { recursive: true });
    if (built) {
      mkdirSync(join(folder, name, 'dist'));
      file(`${name}/dist/main.js`, '');
    }
    const launcher = join(folder, name, 'bin', 'ws-gateway');
    copyFileSync(program, launcher);
    return launcher;
  }

  function whereIs(tool: string): string {
    const found = process.env['PATH']!.split(':').find((part) => existsSync(join(part, tool)));
    return join(found!, tool);
  }
});
