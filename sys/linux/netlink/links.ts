/** Network interfaces as the kernel last described them: MAC, MTU, and whether a frame can leave through them now. */

import {
  ARPHRD_ETHER,
  IFF_LOOPBACK,
  IFF_LOWER_UP,
  IFF_RUNNING,
  IFF_UP,
  IFLA_ADDRESS,
  IFLA_EXT_MASK,
  IFLA_IFNAME,
  IFLA_MTU,
  Ifinfomsg,
  RTEXT_FILTER_SKIP_STATS,
  RTM_GETLINK,
  RTM_NEWLINK,
} from './abi.ts';
import type { MessageReader } from './message.ts';
import type { NetlinkSocket } from './netlink-socket.ts';

/** Interfaces that are remembered; a host of containers has more, but few of them lead to peers. */
const LINKS_MAX = 32;
export const MAC_BYTES = 6;
/** What an interface must be to send: up, and with a carrier. */
const READY_FLAGS: number = IFF_UP | IFF_RUNNING | IFF_LOWER_UP;

/** Interfaces in columns; a row keeps its interface until another needs the room. */
export class Links {
  /** Of the kernel (`if_nametoindex(3)`); 0: a free row. */
  readonly index: Int32Array = new Int32Array(LINKS_MAX);
  /** Largest IP packet. */
  readonly mtuBytes: Int32Array = new Int32Array(LINKS_MAX);
  /** 1 where Ethernet frames can leave now. */
  readonly ready: Uint8Array = new Uint8Array(LINKS_MAX);
  readonly macs: Uint8Array = new Uint8Array(LINKS_MAX * MAC_BYTES);
  readonly names: string[] = new Array<string>(LINKS_MAX).fill('');
  private readonly questions: NetlinkSocket;
  private oldest = 0;

  /** @param questions a netlink socket to ask with */
  constructor(questions: NetlinkSocket) {
    this.questions = questions;
  }

  /** The row of interface `index`, asked for if it is not known; -1 if there is no such interface. */
  rowOf(index: number): number {
    const known = this.find(index);
    if (known >= 0 || index <= 0) return known;
    const { questions } = this;
    const body = questions.request(RTM_GETLINK, Ifinfomsg.SIZE);
    questions.writer.setI32(body + Ifinfomsg.index, index);
    questions.writer.attribute32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
    if (!questions.ask(RTM_NEWLINK) || !questions.reader.enter(Ifinfomsg.SIZE)) return -1;
    if (questions.reader.view.getInt32(questions.reader.body + Ifinfomsg.index, true) !== index) return -1;
    const row = this.claim(index);
    this.describe(row, questions.reader);
    return row;
  }

  /**
   * Takes in news of a link, which `reader` is at. Returns whether it changes anything for frames; news of interfaces that
   * nobody has asked about do not.
   */
  update(reader: MessageReader): boolean {
    if (!reader.enter(Ifinfomsg.SIZE)) return false;
    const row = this.find(reader.view.getInt32(reader.body + Ifinfomsg.index, true));
    // Bridges speak of their ports under their own family, without the attributes that count here.
    if (row < 0 || reader.bytes[reader.body + Ifinfomsg.family] !== 0) return false;
    return this.describe(row, reader);
  }

  /** Forgets the link that `reader` is at, which is gone. Returns whether it was known. */
  remove(reader: MessageReader): boolean {
    if (!reader.enter(Ifinfomsg.SIZE)) return false;
    const row = this.find(reader.view.getInt32(reader.body + Ifinfomsg.index, true));
    if (row < 0 || reader.bytes[reader.body + Ifinfomsg.family] !== 0) return false;
    this.index[row] = 0;
    return true;
  }

  /** Forgets all: each is asked for again when it is needed. */
  clear(): void {
    this.index.fill(0);
  }

  private find(index: number): number {
    return index > 0 ? this.index.indexOf(index) : -1;
  }

  private claim(index: number): number {
    let row = this.index.indexOf(0);
    if (row < 0) {
      row = this.oldest;
      this.oldest = (this.oldest + 1) % LINKS_MAX;
    }
    this.index[row] = index;
    this.mtuBytes[row] = 0;
    this.ready[row] = 0;
    return row;
  }

  /** Copies what the message says of a link; returns whether anything that counts for frames is different. */
  private describe(row: number, reader: MessageReader): boolean {
    const { view, bytes, body } = reader;
    const flags = view.getInt32(body + Ifinfomsg.flags, true);
    const ethernet = view.getUint16(body + Ifinfomsg.type, true) === ARPHRD_ETHER;
    const ready = ethernet && (flags & READY_FLAGS) === READY_FLAGS && (flags & IFF_LOOPBACK) === 0 ? 1 : 0;
    let changed = this.ready[row] !== ready;
    this.ready[row] = ready;
    while (reader.nextAttribute()) {
      if (reader.attribute === IFLA_MTU) {
        changed = this.mtuBytes[row] !== reader.value32() || changed;
        this.mtuBytes[row] = reader.value32();
      } else if (reader.attribute === IFLA_ADDRESS && reader.valueBytes === MAC_BYTES) {
        changed = copyMac(bytes, reader.valueAt, this.macs, row * MAC_BYTES) || changed;
      } else if (reader.attribute === IFLA_IFNAME && reader.valueBytes > 0) {
        this.names[row] = String.fromCharCode(
          ...bytes.subarray(reader.valueAt, reader.valueAt + reader.valueBytes - 1),
        );
      }
    }
    return changed;
  }
}

/** Copies a MAC; returns whether it is another than was there. */
export function copyMac(from: Uint8Array, fromAt: number, to: Uint8Array, toAt: number): boolean {
  let changed = false;
  for (let i = 0; i < MAC_BYTES; i++) {
    changed = to[toAt + i] !== from[fromAt + i] || changed;
    to[toAt + i] = from[fromAt + i]!;
  }
  return changed;
}
