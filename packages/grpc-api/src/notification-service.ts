import type { ServerUnaryCall, UntypedServiceImplementation, sendUnaryData } from '@grpc/grpc-js';
import type { Registry } from '@bufbuild/protobuf';
import type { Any } from '@bufbuild/protobuf/wkt';
import { isName, isUserId, type Logger, type Notification, type Notifier } from '@ws-gateway/core';
import { anyJsonText } from './any-json.js';
import { InvalidArgument, statusOf } from './call-status.js';

export const NOTIFICATION_SERVICE = 'notificationspb.NotificationService';

export interface NotificationServiceDeps {
  readonly notifier: Notifier;
  readonly logger: Logger;
  /** Types that a message may have. */
  readonly types: Registry;
}

/**
 * Serves Broadcast, NotifyRoom and PrivateNotify, within the hub if one is given. A call ends OK when the notifier has
 * taken the notification. One that ends UNAVAILABLE may be repeated, and its notification may then arrive twice.
 */
export function notificationService(deps: NotificationServiceDeps, hub: string | null): UntypedServiceImplementation {
  const { notifier } = deps;
  return {
    Broadcast: handler(deps, (request) => notifier.broadcast(notificationOf(request, deps.types), hub)),
    NotifyRoom: handler(deps, (request: NotificationRequest & { room: string }) => {
      if (!isName(request.room))
        throw new InvalidArgument(nameFault('room', request.room, '1 to 128 of A-Z a-z 0-9 . _ -'));
      return notifier.notifyRoom(request.room, notificationOf(request, deps.types), hub);
    }),
    PrivateNotify: handler(deps, (request: NotificationRequest & { userId: string }) => {
      if (!isUserId(request.userId)) {
        throw new InvalidArgument(nameFault('userId', request.userId, '1 to 128 characters, no control characters'));
      }
      return notifier.privateNotify(request.userId, notificationOf(request, deps.types), hub);
    }),
  };
}

interface NotificationRequest {
  readonly type: number;
  readonly entityId: string;
  readonly message?: Any;
}

/** Names of the types; the index is the number in the proto file. */
const TYPES = ['unspecified', 'info', 'warning', 'error', 'success'];

function notificationOf({ type, entityId, message }: NotificationRequest, types: Registry): Notification {
  const typeName = TYPES[type];
  if (typeName === undefined) throw new InvalidArgument(`type ${type} is unknown`);
  return { type: typeName, entityId, payload: anyJsonText(message, types) };
}

function nameFault(field: string, value: string, rule: string): string {
  return value === '' ? `${field} is missing` : `${field} is not valid: ${rule}`;
}

/** Wraps `act` for grpc-js, which answers deadlines and cancelled calls itself and drops an answer that comes later. */
function handler<Request>({ logger }: NotificationServiceDeps, act: (request: Request) => Promise<void>) {
  return ({ request }: ServerUnaryCall<Request, object>, callback: sendUnaryData<object>): void => {
    // The async function makes what `act` throws at once take the same way as what it rejects with.
    const acted = (async () => act(request))();
    acted.then(
      () => callback(null, {}),
      (error: unknown) => callback(statusOf(error, logger)),
    );
  };
}
