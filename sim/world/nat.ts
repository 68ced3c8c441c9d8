/**
 * A NAT in front of a host: the outside sees its datagrams come from other ports, and perhaps from another address.
 *
 * It maps a local port to an outside port when a datagram first leaves from it, whatever its destination, and hears
 * anyone who sends to that port (an endpoint-independent mapping and filter, RFC 4787). `rebind` forgets all mappings at
 * once, as a router that restarts does: until the host sends again nothing reaches it, and its old mappings are dead.
 * With a timeout it forgets a mapping that has carried nothing outward for so long (RFC 4787, REQ-5 and REQ-6; what comes in
 * keeps none alive). Until it was bound anew for the first time it keeps the ports of the host where it can.
 */

import { ADDRESS_BYTES, addressOf, isIPv4, type Micros, NEVER, portOf } from '../../sys/api.ts';
import { type Digest, EVENT_HOST_FAULT, EVENT_MAPPED, EVENT_REBOUND } from './digest.ts';
import type { SimHost } from './host.ts';
import { FAULT_NAT_TIMEOUT } from './host-faults.ts';
import type { Stream } from './streams.ts';
import type { Timeline } from './timeline.ts';

/** What a new binding looks like from outside. */
export interface RebindOptions {
  /**
   * Outside port of the first local port that sends after it, 1 .. 65535, and not one that is mapped now. The others,
   * and this one by default, are drawn from the stream `nat/<host>`.
   */
  readonly port?: number;
  /** The outside address changes too, to one of 100.64.0.0/10 and fd01:: that no host has had. Default false. */
  readonly address?: boolean;
  /** What is sent to the ports before it still comes in, as long as the address stays: it is not noticed by silence. Default false. */
  readonly leadsIn?: boolean;
}

const PORT_MAX = 65_535;
/** Ports below are not given out (RFC 4787 7.1 asks to keep to the range of the local port; hosts use high ones). */
const PORT_FIRST = 1_024;
/** Bits of an address in 100.64.0.0/10 (RFC 6598, the addresses between a carrier's NAT and its customers). */
const OUTSIDE_BITS = 22;
/** Local ports that one NAT maps at once: with as many before it, every third draw still finds a free one. */
const MAPPINGS_MAX = 20_000;
/** What is not a port. */
const NO_PORT = 0;
/** A day. Home routers forget UDP after 30 s to 5 min (RFC 4787 asks for 2 min or more). */
export const TIMEOUT_MICROS_MAX = 86_400_000_000;

/** What a local port is outside. */
interface Mapping {
  readonly inside: number;
  readonly outside: number;
  /** When it last carried something outward. */
  usedAt: Micros;
}

/** The NAT of one host. */
export class Nat {
  /** The host as the outside sees it; canonical bytes, port 0. */
  #ipv4: Uint8Array;
  #ipv6: Uint8Array;
  /** Times that it was bound anew. */
  #times = 0;
  /** Outside port that the next mapping gets; NO_PORT: a drawn one. */
  #given = NO_PORT;
  #timeoutMicros: Micros = NEVER;
  /** By the local port, and by the outside port; also those that are over, until their local port sends again. */
  #outside: Map<number, Mapping> = new Map();
  #inside: Map<number, Mapping> = new Map();
  /** Outside ports before the last rebind: none is drawn, so that what is still sent there is heard by nobody. */
  #former: ReadonlyMap<number, Mapping> = new Map();
  /** Those lead in all the same. */
  #leadsIn = false;
  /** Mappings that were over when their port sent again, or when room was needed. */
  forgotten = 0;

  readonly #host: SimHost;
  readonly #stream: Stream;
  readonly #timeline: Timeline;
  readonly #digest: Digest;

  constructor(host: SimHost, stream: Stream, timeline: Timeline, digest: Digest) {
    this.#host = host;
    this.#stream = stream;
    this.#timeline = timeline;
    this.#digest = digest;
    this.#ipv4 = host.ipv4;
    this.#ipv6 = host.ipv6;
  }

  /**
   * Forgets all mappings. With `addresses` (of outside addresses that are taken, by number) the host gets another one and
   * is entered there. Throws RangeError when the port is none, or mapped now.
   */
  rebind(options: RebindOptions, addresses: Map<number, SimHost>): void {
    const { port = NO_PORT, address = false, leadsIn = false } = options;
    if (options.port !== undefined && !(Number.isInteger(port) && port >= 1 && port <= PORT_MAX)) {
      throw new RangeError(`rebind ${this.#host.name}: port is an integer in 1 .. ${PORT_MAX}, not ${port}`);
    }
    if (!address && this.maps(port)) {
      throw new RangeError(`rebind ${this.#host.name}: port ${port} is what the outside sees now: give another one`);
    }
    if (address) this.#moveTo(this.#freeAddress(addresses), addresses);
    this.#given = port;
    this.#former = this.#inside;
    this.#leadsIn = leadsIn;
    this.#outside = new Map();
    this.#inside = new Map();
    this.#digest.mix(this.#timeline.now, EVENT_REBOUND, this.#host.number, this.#times++, port, address ? 1 : 0);
  }

  /** Puts the outside address and port in place of the source at `offset`; makes the mapping when there is none. */
  outward(addresses: Uint8Array, offset: number): void {
    const inside = portOf(addresses, offset);
    const known = this.#outside.get(inside);
    const mapping = known === undefined || this.#isOver(known) ? this.#map(inside) : known;
    mapping.usedAt = this.#timeline.now;
    write(addresses, offset, isIPv4(addresses, offset) ? this.#ipv4 : this.#ipv6, mapping.outside);
  }

  /** Puts the host's own address and port in place of the destination at `offset`; false when nothing is mapped to it. */
  inward(addresses: Uint8Array, offset: number): boolean {
    const four = isIPv4(addresses, offset);
    const seen = four ? this.#ipv4 : this.#ipv6;
    for (let i = 0; i < 16; i++) if (addresses[offset + i] !== seen[i]) return false;
    const outside = portOf(addresses, offset);
    const mapping = this.#inside.get(outside);
    let port = mapping?.inside;
    if (mapping === undefined) port = this.#leadsIn ? this.#formerInside(outside) : undefined;
    else if (this.#isOver(mapping)) return false;
    if (port === undefined) return false;
    write(addresses, offset, four ? this.#host.ipv4 : this.#host.ipv6, port);
    return true;
  }

  /**
   * Forgets from now on what has not sent for so long; NEVER: nothing. Ports that are bound now and were never mapped count
   * as just used. Throws RangeError.
   */
  forgetAfter(timeoutMicros: Micros): void {
    const isTime = Number.isInteger(timeoutMicros) && timeoutMicros >= 1 && timeoutMicros <= TIMEOUT_MICROS_MAX;
    if (!isTime && timeoutMicros !== NEVER) {
      throw new RangeError(
        `NAT of ${this.#host.name}: timeoutMicros is an integer in 1 .. ${TIMEOUT_MICROS_MAX} or NEVER, not ${timeoutMicros}`,
      );
    }
    this.#timeoutMicros = timeoutMicros;
    const { now } = this.#timeline;
    this.#digest.mix(now, EVENT_HOST_FAULT, this.#host.number, FAULT_NAT_TIMEOUT, timeoutMicros, 0);
    if (this.#times > 0) return;
    for (const port of this.#host.ports.bound()) if (!this.#outside.has(port)) this.#map(port);
  }

  #isOver(mapping: Mapping): boolean {
    return this.#timeline.now - mapping.usedAt >= this.#timeoutMicros;
  }

  /** Whether the outside reaches the host by this port now; before the first rebind, also by those that are bound and not mapped. */
  maps(port: number): boolean {
    if (this.#inside.has(port)) return true;
    return this.#times === 0 && this.#host.ports.isBound(port) && !this.#outside.has(port);
  }

  /** Before the first rebind every port is its own. */
  #formerInside(outside: number): number | undefined {
    return this.#former.get(outside)?.inside ?? (this.#times === 1 ? outside : undefined);
  }

  /** Maps a local port (anew). */
  #map(inside: number): Mapping {
    const before = this.#outside.get(inside);
    if (before !== undefined) this.#forgotten(before);
    if (this.#outside.size >= MAPPINGS_MAX) this.#forgetOver();
    if (this.#outside.size >= MAPPINGS_MAX) {
      throw new RangeError(`the NAT of ${this.#host.name} maps ${MAPPINGS_MAX} ports: close sockets, or rebind`);
    }
    let port = this.#times === 0 && before === undefined ? inside : this.#given;
    this.#given = NO_PORT;
    while (port === NO_PORT || this.#inside.has(port)) {
      const drawn = PORT_FIRST + this.#stream.below(PORT_MAX + 1 - PORT_FIRST);
      const wasMapped = this.#times <= 1 ? this.#host.ports.isBound(drawn) : this.#former.has(drawn);
      port = wasMapped || drawn === before?.outside ? NO_PORT : drawn;
    }
    const mapping: Mapping = { inside, outside: port, usedAt: this.#timeline.now };
    this.#outside.set(inside, mapping);
    this.#inside.set(port, mapping);
    this.#digest.mix(this.#timeline.now, EVENT_MAPPED, this.#host.number, inside, port, 0);
    return mapping;
  }

  #forgotten(mapping: Mapping): void {
    this.#outside.delete(mapping.inside);
    this.#inside.delete(mapping.outside);
    this.forgotten++;
  }

  #forgetOver(): void {
    for (const mapping of [...this.#outside.values()]) if (this.#isOver(mapping)) this.#forgotten(mapping);
  }

  #freeAddress(addresses: Map<number, SimHost>): number {
    if (addresses.size >= 1 << (OUTSIDE_BITS - 1)) throw new RangeError('too many outside addresses were given out');
    for (;;) {
      const number = this.#stream.below(1 << OUTSIDE_BITS);
      if (!addresses.has(number)) return number;
    }
  }

  #moveTo(number: number, addresses: Map<number, SimHost>): void {
    addresses.set(number, this.#host);
    const [high, low] = [number >>> 16, number & 0xffff];
    this.#ipv4 = addressOf(`100.${64 + high}.${low >>> 8}.${low & 0xff}`, 0)!;
    this.#ipv6 = addressOf(`fd01::${high.toString(16)}:${low.toString(16)}`, 0)!;
  }
}

/** The number of an outside address, as `rebind` enters it; -1 for an address of another kind. */
export function outsideNumberOf(addresses: Uint8Array, offset: number): number {
  if (isIPv4(addresses, offset)) {
    if (addresses[offset + 12] !== 100 || (addresses[offset + 13]! & 0xc0) !== 64) return -1;
  } else {
    if (addresses[offset] !== 0xfd || addresses[offset + 1] !== 1) return -1;
    for (let i = 2; i < 13; i++) if (addresses[offset + i] !== 0) return -1;
  }
  return (addresses[offset + 13]! & 0x3f) * 0x1_0000 + addresses[offset + 14]! * 0x100 + addresses[offset + 15]!;
}

/** Address and port in canonical bytes; flags and scope are zero, since these hosts have no link-local addresses. */
function write(addresses: Uint8Array, offset: number, address: Uint8Array, port: number): void {
  for (let i = 0; i < ADDRESS_BYTES; i++) addresses[offset + i] = address[i]!;
  addresses[offset + 16] = port & 0xff;
  addresses[offset + 17] = port >>> 8;
}
