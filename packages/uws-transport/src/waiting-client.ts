import type { Admission, Attempt } from '@ws-gateway/core';
import type { Expiring } from './deadlines.js';

/** A client whose handshake the edge is thinking about. */
export interface WaitingClient extends Attempt, Expiring {
  /** Called once, also when the client has gone or was refused meanwhile. */
  decided(admission: Admission): void;
}
