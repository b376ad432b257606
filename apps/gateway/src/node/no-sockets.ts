import type { Admission, EdgeHandler, Reception } from '@ws-gateway/core';

const REFUSAL = {
  status: 404,
  code: 'unknown_endpoint',
  message: 'this node routes records; it accepts no sockets',
};

/** The socket side of a port without endpoints, as of a node that has the router's role only: it accepts nobody. */
export class NoSockets implements EdgeHandler {
  receive(): Reception {
    return { received: false, refusal: REFUSAL };
  }

  admit(): Promise<Admission> {
    return Promise.resolve({ admitted: false, refusal: REFUSAL });
  }

  refused(): void {}

  confirm(): null {
    return null;
  }

  opened(): void {}
  message(): void {}
  abused(): void {}
  drained(): void {}
  closed(): void {}
}
