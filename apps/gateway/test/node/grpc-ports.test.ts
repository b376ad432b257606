import { describe, expect, it } from '@jest/globals';
import type { Logger, Notifier } from '@ws-gateway/core';
import { GrpcPorts } from '../../src/node/grpc.js';
import { loadWithSecret } from '../config/loading.js';

/** What is said at WARN when the ports are opened; the address is one that no port can be opened on, so none is. */
async function warningsOf(yaml: string): Promise<string[]> {
  const { config, findings } = loadWithSecret(yaml);
  expect(findings).toEqual([]);
  const warnings: string[] = [];
  const nothing = (): void => undefined;
  const logger: Logger = {
    ...{ error: nothing, info: nothing, debug: nothing },
    warn: (message) => warnings.push(message),
    child: () => logger,
  };
  const ports = new GrpcPorts(config, { notifier: {} as Notifier, logger });
  await ports.open();
  await ports.close();
  return warnings;
}

describe('gRPC that listens for more than this machine', () => {
  const OPEN = expect.stringMatching(/^grpc is open to the network/);

  it('without a token and a client CA is a warning', async () => {
    expect(await warningsOf('grpc: {host: gateway.invalid}')).toEqual([OPEN]);
    expect(await warningsOf('server: {host: gateway.invalid}')).toEqual([OPEN]);
  });

  it('is none with a token, on loopback, or when gRPC is off', async () => {
    expect(await warningsOf('grpc: {host: gateway.invalid, token: abc}')).toEqual([]);
    expect(await warningsOf('grpc: {host: gateway.invalid, enabled: false}')).toEqual([]);
    for (const host of ['127.0.0.1', '127.9.9.9', '"::1"', 'localhost'])
      expect(await warningsOf(`{server: {host: gateway.invalid}, grpc: {host: ${host}, port: 0}, hubs: []}`)).toEqual(
        [],
      );
  });
});
