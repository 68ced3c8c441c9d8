/**
 * Which socket of a host a datagram belongs to, and which addresses can still be bound.
 */

import { ADDRESS_BYTES, isIPv4, portOf, SysError } from '../../sys/api.ts';
import { avalanche } from '../link/chance.ts';
import type { SimSocket } from './sim-socket.ts';

/** First port given out for port 0 (IANA's dynamic range); in turn, since nothing here needs to be unguessable. */
const EPHEMERAL_FIRST = 49_152;
const EPHEMERAL_LAST = 65_535;
/** Bytes of the address proper, before the port. */
const HOST_BYTES = 16;

/** The bound sockets of one host by port. */
export class PortTable {
  readonly #sockets: Map<number, SimSocket[]> = new Map();
  #nextEphemeral = EPHEMERAL_FIRST;

  /** A port that nobody uses. Throws SysError EADDRINUSE when the host has none left. */
  ephemeral(): number {
    for (let tries = EPHEMERAL_FIRST; tries <= EPHEMERAL_LAST; tries++) {
      const port = this.#nextEphemeral;
      this.#nextEphemeral = port === EPHEMERAL_LAST ? EPHEMERAL_FIRST : port + 1;
      if (!this.isBound(port)) return port;
    }
    throw new SysError('EADDRINUSE', 'bind', 'every ephemeral port of this host is in use; close some sockets');
  }

  /** Whether a socket bound to `local` would take datagrams of one that is there already. */
  conflicts(local: Uint8Array, dualStack: boolean, reusePort: boolean): boolean {
    for (const socket of this.#sockets.get(portOf(local)) ?? []) {
      if (reusePort && socket.reusePort) continue;
      if (overlap(local, dualStack, socket.localAddress, socket.dualStack)) return true;
    }
    return false;
  }

  /** Whether any socket is bound to this port. */
  isBound(port: number): boolean {
    return this.#sockets.has(port);
  }

  /** The ports that are bound, in the order in which they first were. */
  bound(): number[] {
    return [...this.#sockets.keys()];
  }

  add(socket: SimSocket): void {
    const port = portOf(socket.localAddress);
    const sockets = this.#sockets.get(port);
    if (sockets === undefined) this.#sockets.set(port, [socket]);
    else sockets.push(socket);
  }

  release(socket: SimSocket): void {
    const port = portOf(socket.localAddress);
    const left = (this.#sockets.get(port) ?? []).filter((other) => other !== socket);
    if (left.length === 0) this.#sockets.delete(port);
    else this.#sockets.set(port, left);
  }

  /**
   * The socket for a datagram whose source lies at `offset` of `addresses` and its destination after it; null if none.
   * An exact address wins over a wildcard, IPv4's own wildcard over a dual-stack one; sockets that share the port by
   * `reusePort` share the peers by a hash of the source.
   */
  find(addresses: Uint8Array, offset: number): SimSocket | null {
    const destination = offset + ADDRESS_BYTES;
    const sockets = this.#sockets.get(portOf(addresses, destination));
    if (sockets === undefined) return null;
    let best: SimSocket | null = null;
    let bestScore = 0;
    let equals = 0;
    for (let i = 0; i < sockets.length; i++) {
      const score = scoreOf(sockets[i]!, addresses, destination);
      if (score === 0 || score < bestScore) continue;
      equals = score === bestScore ? equals + 1 : 1;
      bestScore = score;
      best = sockets[i]!;
    }
    return equals > 1 ? pick(sockets, bestScore, equals, addresses, offset) : best;
  }
}

function pick(
  sockets: readonly SimSocket[],
  score: number,
  equals: number,
  addresses: Uint8Array,
  source: number,
): SimSocket | null {
  let hash = 0;
  for (let i = 0; i < ADDRESS_BYTES; i++) hash = avalanche(hash ^ addresses[source + i]!);
  let nth = (hash >>> 0) % equals;
  for (let i = 0; i < sockets.length; i++) {
    if (scoreOf(sockets[i]!, addresses, source + ADDRESS_BYTES) === score && nth-- === 0) return sockets[i]!;
  }
  return null;
}

/** 0: not for this socket; the higher, the better it fits. */
function scoreOf(socket: SimSocket, addresses: Uint8Array, destination: number): number {
  const local = socket.localAddress;
  if (sameHost(local, 0, addresses, destination)) return 3;
  if (!isWildcard(local)) return 0;
  if (isIPv4(local) === isIPv4(addresses, destination)) return 2;
  return !isIPv4(local) && socket.dualStack ? 1 : 0;
}

function overlap(a: Uint8Array, aDual: boolean, b: Uint8Array, bDual: boolean): boolean {
  const sameFamily = isIPv4(a) === isIPv4(b);
  if (sameFamily) return isWildcard(a) || isWildcard(b) || sameHost(a, 0, b, 0);
  return (!isIPv4(a) && isWildcard(a) && aDual) || (!isIPv4(b) && isWildcard(b) && bDual);
}

function sameHost(a: Uint8Array, aOffset: number, b: Uint8Array, bOffset: number): boolean {
  for (let i = 0; i < HOST_BYTES; i++) if (a[aOffset + i] !== b[bOffset + i]) return false;
  return true;
}

/** Whether the address is `0.0.0.0` or `::`. */
export function isWildcard(address: Uint8Array): boolean {
  const start = isIPv4(address) ? 12 : 0;
  for (let i = start; i < HOST_BYTES; i++) if (address[i] !== 0) return false;
  return true;
}
