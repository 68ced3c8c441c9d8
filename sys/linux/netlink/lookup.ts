/** Two questions to the kernel: the route to one destination, and what it knows of one neighbour. */

import { AF_INET, AF_INET6, isMapped } from '../../posix/sockaddr.ts';
import * as abi from './abi.ts';
import { MAC_BYTES } from './links.ts';
import type { MessageReader } from './message.ts';
import type { NetlinkSocket } from './netlink-socket.ts';

const IPPROTO_UDP = 17;
/**
 * States in which the kernel itself would send to the MAC it has and is not in doubt: confirmed, fixed, or being verified.
 * Not STALE: that becomes "being verified" only when the kernel sends.
 */
const SURE: number = abi.NUD_REACHABLE | abi.NUD_DELAY | abi.NUD_PROBE | abi.NUD_NOARP | abi.NUD_PERMANENT;

/** Asks, and keeps the last answer. */
export class Lookup {
  /** Of the last route: through which interface, from which address, to which neighbour. Canonical words. */
  interfaceIndex = 0;
  readonly source: Int32Array = new Int32Array(4);
  readonly hop: Int32Array = new Int32Array(4);
  private readonly questions: NetlinkSocket;

  constructor(questions: NetlinkSocket) {
    this.questions = questions;
  }

  /** What the MAC that `neighbour` found lies in. */
  get bytes(): Uint8Array {
    return this.questions.reader.bytes;
  }

  /**
   * Asks for the route of the key at word `at` of `keys` (see `Destinations`). False where frames cannot take it: the
   * machine itself, multicast, no route, a tunnel, a source address of the other family or not of this machine.
   */
  route(keys: Int32Array, at: number): boolean {
    const { questions } = this;
    const ipv4 = isMapped(keys, at);
    const anySource = (keys[at + 5]! | keys[at + 6]! | keys[at + 7]! | keys[at + 8]!) === 0;
    if (!anySource && isMapped(keys, at + 5) !== ipv4) return false;
    const { writer } = questions;
    const body = questions.request(abi.RTM_GETROUTE, abi.Rtmsg.SIZE);
    writer.setU8(body + abi.Rtmsg.family, ipv4 ? AF_INET : AF_INET6);
    writer.setU8(body + abi.Rtmsg.destinationBits, ipv4 ? 32 : 128);
    writer.attributeAddress(abi.RTA_DST, keys, at, ipv4);
    if (!anySource) {
      writer.setU8(body + abi.Rtmsg.sourceBits, ipv4 ? 32 : 128);
      writer.attributeAddress(abi.RTA_SRC, keys, at + 5, ipv4);
    }
    if (keys[at + 4] !== 0) writer.attribute32(abi.RTA_OIF, keys[at + 4]!);
    writer.attribute8(abi.RTA_IP_PROTO, IPPROTO_UDP); // rules may tell protocols apart
    if (!questions.ask(abi.RTM_NEWROUTE) || !questions.reader.enter(abi.Rtmsg.SIZE)) return false;
    return this.readRoute(questions.reader, keys, at, anySource);
  }

  /**
   * Asks what the kernel knows of the neighbour whose canonical address is at word `at` of `addresses`. Returns where in
   * `bytes` its MAC lies; -1: not usable. Sets `hop` to the neighbour.
   */
  neighbour(interfaceIndex: number, addresses: Int32Array, at: number): number {
    const { questions } = this;
    const ipv4 = isMapped(addresses, at);
    for (let i = 0; i < 4; i++) this.hop[i] = addresses[at + i]!;
    const body = questions.request(abi.RTM_GETNEIGH, abi.Ndmsg.SIZE);
    questions.writer.setU8(body + abi.Ndmsg.family, ipv4 ? AF_INET : AF_INET6);
    questions.writer.setI32(body + abi.Ndmsg.interface, interfaceIndex);
    questions.writer.attributeAddress(abi.NDA_DST, addresses, at, ipv4);
    if (!questions.ask(abi.RTM_NEWNEIGH) || !questions.reader.enter(abi.Ndmsg.SIZE)) return -1;
    const { reader } = questions;
    const state = reader.view.getUint16(reader.body + abi.Ndmsg.state, true);
    while (reader.nextAttribute()) if (reader.attribute === abi.NDA_LLADDR) return usableMacAt(reader, state);
    return -1;
  }

  private readRoute(reader: MessageReader, keys: Int32Array, at: number, anySource: boolean): boolean {
    if (reader.bytes[reader.body + abi.Rtmsg.type] !== abi.RTN_UNICAST) return false;
    this.interfaceIndex = 0;
    for (let i = 0; i < 4; i++) {
      this.hop[i] = keys[at + i]!; // unless a gateway is named, the destination is a neighbour
      this.source[i] = keys[at + 5 + i]!;
    }
    let sourced = !anySource;
    while (reader.nextAttribute()) {
      switch (reader.attribute) {
        case abi.RTA_OIF:
          this.interfaceIndex = reader.value32();
          break;
        case abi.RTA_GATEWAY:
          if (!reader.valueAddress(this.hop, 0)) return false;
          break;
        case abi.RTA_VIA: // a gateway of the other family, behind two bytes that say which
          if (!reader.valueAddress(this.hop, 0, 2)) return false;
          break;
        case abi.RTA_PREFSRC:
          if (anySource) sourced = reader.valueAddress(this.source, 0);
          break;
        case abi.RTA_ENCAP:
        case abi.RTA_ENCAP_TYPE:
          return false;
      }
    }
    return sourced && this.interfaceIndex > 0;
  }
}

/** Where the MAC lies that `reader` is at, of a neighbour in `state`; -1 where it is none to rely on. */
export function usableMacAt(reader: MessageReader, state: number): number {
  return (state & SURE) !== 0 && reader.valueBytes === MAC_BYTES ? reader.valueAt : -1;
}
