import { createHash, timingSafeEqual } from 'node:crypto';
import {
  ResponderBuilder,
  ServerInterceptingCall,
  ServerListenerBuilder,
  status,
  type ServerInterceptor,
} from '@grpc/grpc-js';

/**
 * Demands `authorization: Bearer <token>` of every call, also of reflection, because it tells the schema. The services
 * in `open` need none: a kubelet's health probe cannot send a header.
 */
export function bearerToken(token: string, open: readonly string[]): ServerInterceptor {
  const expected = digest(token);
  return ({ path }, call) => {
    if (open.some((service) => path.startsWith(`/${service}/`))) return new ServerInterceptingCall(call);
    const listener = new ServerListenerBuilder()
      .withOnReceiveMetadata((metadata, next) => {
        const [given] = metadata.get('authorization');
        const [, credential] = /^bearer +(.*)$/i.exec(String(given ?? '')) ?? [];
        if (credential !== undefined && timingSafeEqual(digest(credential), expected)) next(metadata);
        else call.sendStatus({ code: status.UNAUTHENTICATED, details: 'authorization: Bearer <token> is needed' });
      })
      .build();
    return new ServerInterceptingCall(call, new ResponderBuilder().withStart((next) => next(listener)).build());
  };
}

/** Digests have one length, which the comparison in constant time needs. */
function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
