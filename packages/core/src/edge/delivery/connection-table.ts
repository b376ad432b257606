import type { NodeCommand } from '../../node-commands.js';
import type { EdgeStats } from '../../stats.js';
import { addressGroup } from '../address-group.js';
import type { Login } from '../login.js';
import type { Connection } from './connection.js';

/** Target of a close. */
export type CloseTarget = Pick<Extract<NodeCommand, { command: 'close' }>, 'user' | 'connection' | 'endpoint'>;

type ConnectionCounts = Pick<EdgeStats, 'activeConnections' | 'users'>;

/** Every admitted connection of this node: by id, by user and by address. */
export class ConnectionTable {
  readonly #byId = new Map<string, Connection>();
  /** First connection of each user; the others hang behind it (`nextOfUser`). */
  readonly #byUser = new Map<string, Connection>();
  /** What limits count as one address. */
  readonly #perAddress = new Map<string, number>();
  readonly #stats: ConnectionCounts;

  /** `stats` tells how many there are; nobody else writes it. */
  constructor(stats: ConnectionCounts) {
    this.#stats = stats;
  }

  get size(): number {
    return this.#byId.size;
  }

  get users(): number {
    return this.#byUser.size;
  }

  add(connection: Connection): void {
    this.#byId.set(connection.id, connection);
    const group = addressGroup(connection.address);
    this.#perAddress.set(group, (this.#perAddress.get(group) ?? 0) + 1);
    this.#link(connection);
    this.#count();
  }

  remove(connection: Connection): void {
    if (!this.#byId.delete(connection.id)) return;
    const group = addressGroup(connection.address);
    const left = (this.#perAddress.get(group) ?? 0) - 1;
    if (left > 0) this.#perAddress.set(group, left);
    else this.#perAddress.delete(group);
    this.#unlink(connection);
    this.#count();
  }

  /** The only way to change whose a connection is: the lists by user follow. */
  changeLogin(connection: Connection, login: Login): void {
    this.#unlink(connection);
    connection.login = login;
    this.#link(connection);
    this.#count();
  }

  get(id: string): Connection | undefined {
    return this.#byId.get(id);
  }

  all(): Iterable<Connection> {
    return this.#byId.values();
  }

  *ofUser(user: string): Iterable<Connection> {
    let connection = this.#byUser.get(user) ?? null;
    while (connection !== null) {
      // Closing a connection unlinks it, so the next one is read first.
      const next: Connection | null = connection.nextOfUser;
      yield connection;
      connection = next;
    }
  }

  /** Lists the connections that the close is for. The list is a copy: closing one takes it out of the table. */
  concernedBy({ user, connection: id, endpoint }: CloseTarget): Connection[] {
    const guest = user === null && id !== undefined ? this.get(id) : undefined;
    const candidates = user === null ? (guest === undefined ? [] : [guest]) : [...this.ofUser(user)];
    return candidates.filter(
      (connection) =>
        (id === undefined || id === connection.id) && (endpoint === undefined || endpoint === connection.endpoint.path),
    );
  }

  countOfUser(user: string): number {
    let count = 0;
    for (let at = this.#byUser.get(user) ?? null; at !== null; at = at.nextOfUser) count++;
    return count;
  }

  countOfAddress(address: string): number {
    return this.#perAddress.get(addressGroup(address)) ?? 0;
  }

  #count(): void {
    this.#stats.activeConnections = this.size;
    this.#stats.users = this.users;
  }

  #link(connection: Connection): void {
    const { user } = connection;
    if (user === null) return;
    connection.nextOfUser = this.#byUser.get(user) ?? null;
    this.#byUser.set(user, connection);
  }

  #unlink(connection: Connection): void {
    const { user } = connection;
    if (user === null) return;
    const first = this.#byUser.get(user);
    if (first === connection) {
      if (connection.nextOfUser === null) this.#byUser.delete(user);
      else this.#byUser.set(user, connection.nextOfUser);
      return;
    }
    for (let at = first; at !== undefined && at.nextOfUser !== null; at = at.nextOfUser) {
      if (at.nextOfUser !== connection) continue;
      at.nextOfUser = connection.nextOfUser;
      return;
    }
  }
}
