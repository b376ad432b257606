import type { Admission, Attempt, Expiring } from '@ws-gateway/core';

/** A client whose handshake the edge is thinking about. */
export interface WaitingClient extends Attempt, Expiring {
  /** Called once, also when the client has gone or was refused meanwhile. */
  decided(admission: Admission): void;
}
