import { createHash, timingSafeEqual } from 'node:crypto';
import {
  ResponderBuilder,
  ServerInterceptingCall,
  ServerListenerBuilder,
  status,
  type Metadata,
  type ServerInterceptor,
} from '@grpc/grpc-js';
import { GuessLimiter, type Logger } from '@ws-gateway/core';

/**
 * Demands `authorization: Bearer <token>` of every call, also of reflection, because it tells the schema. The services
 * in `open` need none: a kubelet's health probe cannot send a header. Wrong tokens are logged and slowed down, address by
 * address.
 */
export function bearerToken(token: string, open: readonly string[], logger: Logger): ServerInterceptor {
  const expected = digest(token);
  const guesses = new GuessLimiter();
  return ({ path }, call) => {
    if (open.some((service) => path.startsWith(`/${service}/`))) return new ServerInterceptingCall(call);
    const address = withoutPort(call.getPeer());
    const refuse = (code: status, details: string): void => call.sendStatus({ code, details });
    const look = (metadata: Metadata, next: (metadata: Metadata) => void): void => {
      const credential = credentialIn(metadata);
      if (credential !== undefined && timingSafeEqual(digest(credential), expected)) return next(metadata);
      const attempts = credential === undefined ? 0 : guesses.wrong(address);
      if (attempts > 0) logger.warn('wrong token for grpc', { address, attempts, path });
      refuse(status.UNAUTHENTICATED, 'authorization: Bearer <token> is needed');
    };
    const listener = new ServerListenerBuilder()
      .withOnReceiveMetadata((metadata, next) => {
        const waitMs = guesses.waitMs(address);
        if (waitMs === null)
          refuse(status.RESOURCE_EXHAUSTED, 'too many wrong tokens from this address; come back later');
        else if (waitMs === 0) look(metadata, next);
        else setTimeout(() => look(metadata, next), waitMs);
      })
      .build();
    return new ServerInterceptingCall(call, new ResponderBuilder().withStart((next) => next(listener)).build());
  };
}

/** undefined: none was given. */
function credentialIn(metadata: Metadata): string | undefined {
  const [given] = metadata.get('authorization');
  return /^bearer +(.*)$/i.exec(String(given ?? ''))?.[1];
}

/** `1.2.3.4:5` or `[::1]:5`. */
function withoutPort(peer: string): string {
  return peer.replace(/:\d+$/, '').replace(/^\[|\]$/g, '');
}

/** Digests have one length, which the comparison in constant time needs. */
function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
