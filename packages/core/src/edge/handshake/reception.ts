import type { EdgeStats } from '../../stats.js';
import type { HandshakeIdentifier, Identity, TokenVerifier } from '../../token-verifier.js';
import type { Arrival, Handshake } from '../../transport.js';
import type { Endpoint } from '../delivery/connection.js';
import type { ConnectionTable } from '../delivery/connection-table.js';
import type { Endpoints } from '../endpoints.js';
import type { EventId } from '../../sse/event-id.js';
import { RefusalError } from '../refusals.js';
import { parseHandshakeQuery, type HandshakeQuery } from './handshake-query.js';
import { HandshakeRate } from './handshake-rate.js';
import { resumeOf } from './resuming.js';
import { SubprotocolOffer } from './subprotocols.js';

export interface ReceptionOptions {
  readonly tokenParameters: readonly string[];
  readonly allowedOrigins: readonly string[];
  /** The address that limits apply to: the peer's, or what a trusted proxy says. */
  readonly clientAddress: (handshake: Handshake) => string;
  readonly connectionsPerAddress: number;
  /** 0: no limit. */
  readonly handshakesPerSecond: number;
  /** Subprotocols that are accepted and selected besides the gateway's own. */
  readonly subprotocols: readonly string[];
}

interface ReceptionDeps {
  readonly verifier: TokenVerifier;
  readonly identifier?: HandshakeIdentifier | undefined;
  readonly connections: ConnectionTable;
  readonly endpoints: Endpoints;
  readonly stats: EdgeStats;
}

/** What a handshake asks for, as far as it can be read off it. */
export interface HandshakeRequest {
  readonly endpoint: Endpoint;
  readonly query: HandshakeQuery;
  readonly token: string | null;
  /** Value for back ends: the header as it came, or what it would have been. */
  readonly authorization: string;
  /** Whose token it is, when that is known without looking at it again. */
  readonly known: Identity | null;
  /** Where a client of server-sent events goes on; null: it is no such client. */
  readonly resume: EventId | null;
}

export interface ReceivedHandshake extends Arrival {
  readonly handshake: Handshake;
  readonly address: string;
  /** What it asks for, or why that cannot be had: to be told when the client can read it. */
  readonly request: HandshakeRequest | RefusalError;
}

const BEARER = /^bearer +(.+)$/i;

/**
 * The synchronous part of a handshake. What it refuses is refused by HTTP, whatever the client offers: a path that is no
 * endpoint, a foreign origin, more handshakes than the rate allows. Other faults that it finds are refused here as well,
 * unless the client reads refusals from frames: such a one is counted by the rate, because it is upgraded.
 */
export class HandshakeReception {
  readonly #deps: ReceptionDeps;
  readonly #options: ReceptionOptions;
  readonly #rate = new HandshakeRate();

  constructor(deps: ReceptionDeps, options: ReceptionOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /** Throws RefusalError. */
  receive(handshake: Handshake): ReceivedHandshake {
    this.#checkOrigin(handshake.origin);
    const offer = new SubprotocolOffer(handshake.protocols);
    const { readsRefusals } = offer;
    const protocol = offer.select(this.#options.subprotocols);
    const address = this.#options.clientAddress(handshake);
    const request = this.#readOrRefuse(handshake, offer, address);
    if (request instanceof RefusalError && (!readsRefusals || request.code === 'unknown_endpoint')) throw request;
    this.#checkRate(request, address);
    return { handshake, address, readsRefusals, protocol, request };
  }

  /** Looks again when it is known who the client is. Throws RefusalError. */
  checkIdentified(request: HandshakeRequest): void {
    if (this.#isUnknown(request)) this.#rate.checkAdmission(this.#options.handshakesPerSecond);
  }

  /** Throws RefusalError. */
  checkAddress(address: string): void {
    const limit = this.#options.connectionsPerAddress;
    if (limit === 0 || this.#deps.connections.countOfAddress(address) < limit) return;
    throw new RefusalError('too_many_connections', `at most ${limit} connections per address`);
  }

  #readOrRefuse(handshake: Handshake, offer: SubprotocolOffer, address: string): HandshakeRequest | RefusalError {
    try {
      return this.#read(handshake, offer, address);
    } catch (error) {
      if (error instanceof RefusalError) return error;
      throw error;
    }
  }

  /** Throws RefusalError. */
  #read(handshake: Handshake, offer: SubprotocolOffer, address: string): HandshakeRequest {
    const { endpoints } = this.#deps;
    const resume = resumeOf(handshake);
    const endpoint = resume === null ? endpoints.require(handshake.path) : endpoints.requireEvents(handshake.path);
    const query = parseHandshakeQuery(handshake.query, this.#options.tokenParameters);
    endpoint.checkQuery(query);
    this.checkAddress(address);
    const { token, authorization } = bearerOf(handshake, query, offer);
    const known = token === null ? null : this.#deps.verifier.recall(token);
    if (token === null && this.#deps.identifier === undefined && !endpoint.guests) throw this.#tokenMissing();
    return { endpoint, query, token, authorization, known, resume };
  }

  /** Throws RefusalError. */
  #checkRate(request: HandshakeRequest | RefusalError, address: string): void {
    const perSecond = this.#options.handshakesPerSecond;
    const isRefused = request instanceof RefusalError;
    if (!isRefused && request.known !== null) return this.#rate.checkKnown(perSecond);
    this.#rate.checkUnknown(perSecond, address);
    if (!isRefused && !this.#isUnknown(request)) this.#rate.checkAdmission(perSecond);
  }

  /** Somebody has to be asked who the client is. */
  #isUnknown({ token, known }: HandshakeRequest): boolean {
    return known === null && (token !== null || this.#deps.identifier !== undefined);
  }

  #tokenMissing(): RefusalError {
    this.#deps.stats.authErrors.add('token_missing');
    return new RefusalError(
      'token_missing',
      'a token is needed: Authorization: Bearer <jwt>, ?token=<jwt> or the bearer subprotocol',
    );
  }

  #checkOrigin(origin: string | null): void {
    const { allowedOrigins } = this.#options;
    if (origin === null || allowedOrigins.length === 0 || allowedOrigins.includes(origin)) return;
    throw new RefusalError('origin_forbidden', 'this origin is not in server.allowedOrigins');
  }
}

/**
 * The first source that is present wins: Authorization, query, subprotocol. A header of another scheme is none:
 * it is for somebody else on the way, as that of a proxy with a password.
 */
function bearerOf(
  handshake: Handshake,
  query: HandshakeQuery,
  offer: SubprotocolOffer,
): { token: string | null; authorization: string } {
  const authorization = handshake.authorization.trim();
  const header = BEARER.exec(authorization)?.[1];
  if (header !== undefined) return { token: header, authorization };
  const token = query.token ?? offer.token;
  return { token, authorization: token === null ? '' : `Bearer ${token}` };
}
