/**
 * What each interface offers to frames, without touching it: a program that is attached to find out would make some cards
 * reset their link. The kernel is asked: rtnetlink for a program that is there, the family `netdev` (Linux 6.3) for what
 * the driver can.
 */

import { readFileSync } from 'node:fs';
import { addressOf, formatHost, SysError } from '../api.ts';
import { Ifinfomsg, RTM_GETLINK, RTM_NEWLINK } from '../linux/netlink/abi.ts';
import { NetlinkSocket } from '../linux/netlink/netlink-socket.ts';
import { describeInterface, type Interface, interfaceFor } from './interface.ts';

const ANY: Uint8Array = addressOf('0.0.0.0', 0)!;

const IFLA_XDP = 43; // linux/if_link.h
const IFLA_XDP_ATTACHED = 2;
const NETLINK_GENERIC = 16; // linux/netlink.h
/** `struct genlmsghdr` (linux/genetlink.h): command, version, two bytes of nothing. */
const GENL_HEADER_BYTES = 4;
const GENL_ID_CTRL = 0x10;
const CTRL_CMD_GETFAMILY = 3;
const CTRL_ATTR_FAMILY_ID = 1;
const CTRL_ATTR_FAMILY_NAME = 2;
const NETDEV_CMD_DEV_GET = 1; // linux/netdev.h
const NETDEV_A_DEV_IFINDEX = 1;
const NETDEV_A_DEV_XDP_FEATURES = 3;
const NETDEV_XDP_ACT_BASIC = 1;
const NETDEV_XDP_ACT_REDIRECT = 2;
const NETDEV_XDP_ACT_XSK_ZEROCOPY = 8;

/** One interface. */
export interface InterfaceReport {
  readonly name: string;
  /** Why neither frames nor AF_XDP are for it: it is down, or no Ethernet; '' where they are. */
  readonly unfit: string;
  readonly addresses: readonly string[];
  readonly mtuBytes: number;
  /** Queues that frames arrive in: one AF_XDP socket each. */
  readonly queues: number;
  /** Where a program would run: in the driver, after it, or not told (before Linux 6.3): it is tried. */
  readonly mode: 'native' | 'generic' | 'untold';
  /** Whether the driver takes our frames without a copy; null where that is not told. */
  readonly zeroCopy: boolean | null;
  /** A server bound to all addresses is served by this one, unless told otherwise: that of the default route. */
  readonly isDefault: boolean;
  /** Somebody's program is attached already: EBUSY for a second one. */
  readonly attached: boolean;
}

/** Every interface of this thread's network namespace, loopback and those that are down too. */
export function reportInterfaces(): InterfaceReport[] {
  const routes = new NetlinkSocket();
  const features = new DriverFeatures();
  try {
    return namesOfInterfaces().map((name) => reportOne(name, routes, features));
  } finally {
    features.close();
    routes.close();
  }
}

/** Of this thread's namespace, which /sys need not show. */
function namesOfInterfaces(): string[] {
  let text: string;
  try {
    text = readFileSync('/proc/thread-self/net/dev', 'utf8');
  } catch {
    return []; // /proc is not there: the report says that there is none
  }
  return [...text.matchAll(/^\s*([^\s:]+):/gm)].map((match) => match[1]!).sort();
}

function reportOne(name: string, routes: NetlinkSocket, features: DriverFeatures): InterfaceReport {
  const empty = {
    addresses: [],
    mtuBytes: 0,
    queues: 0,
    mode: 'untold',
    zeroCopy: null,
    isDefault: false,
    attached: false,
  } as const;
  let at: Interface | null;
  try {
    at = describeInterface(name);
  } catch (error) {
    if (!(error instanceof SysError)) throw error;
    const isDown = error.code === 'ENETDOWN';
    return { name, ...empty, unfit: isDown ? `down: \`sudo ip link set ${name} up\`` : error.message };
  }
  if (at === null) return { name, ...empty, unfit: 'no Ethernet' };
  const bits = features.of(at.index);
  const isNative = bits !== null && (bits & NETDEV_XDP_ACT_BASIC) !== 0 && (bits & NETDEV_XDP_ACT_REDIRECT) !== 0;
  return {
    name,
    unfit: '',
    addresses: at.addresses.map((address) => formatHost(address)),
    mtuBytes: at.mtuBytes,
    queues: at.queues,
    mode: bits === null ? 'untold' : isNative ? 'native' : 'generic',
    zeroCopy: bits === null ? null : (bits & NETDEV_XDP_ACT_XSK_ZEROCOPY) !== 0,
    isDefault: interfaceFor(ANY) === name,
    attached: hasProgram(routes, at.index),
  };
}

function hasProgram(routes: NetlinkSocket, index: number): boolean {
  const body = routes.request(RTM_GETLINK, Ifinfomsg.SIZE);
  routes.writer.setI32(body + Ifinfomsg.index, index);
  const { reader } = routes;
  if (!routes.ask(RTM_NEWLINK) || !reader.enter(Ifinfomsg.SIZE)) return false;
  while (reader.nextAttribute()) {
    if (reader.attribute !== IFLA_XDP) continue;
    // Nested: attributes of their own, each with four bytes of length and type, one byte and three of nothing.
    for (let at = reader.valueAt; at + 5 <= reader.valueAt + reader.valueBytes; ) {
      if (reader.view.getUint16(at + 2, true) === IFLA_XDP_ATTACHED) return reader.bytes[at + 4] !== 0;
      at += (Math.max(4, reader.view.getUint16(at, true)) + 3) & ~3;
    }
  }
  return false;
}

/** The kernel's word on what drivers can. */
class DriverFeatures {
  private readonly socket = new NetlinkSocket([], NETLINK_GENERIC);
  /** Of the family `netdev`; 0 where the kernel has none. */
  private readonly family: number;

  constructor() {
    const { reader, writer } = this.socket;
    writer.setU8(this.socket.request(GENL_ID_CTRL, GENL_HEADER_BYTES), CTRL_CMD_GETFAMILY);
    writer.attributeText(CTRL_ATTR_FAMILY_NAME, 'netdev');
    let family = 0;
    if (this.socket.ask(GENL_ID_CTRL) && reader.enter(GENL_HEADER_BYTES)) {
      while (reader.nextAttribute()) {
        if (reader.attribute === CTRL_ATTR_FAMILY_ID) family = reader.view.getUint16(reader.valueAt, true);
      }
    }
    this.family = family;
  }

  /** NETDEV_XDP_ACT_* bits of an interface, those below 2^32; null where they are not told. */
  of(index: number): number | null {
    if (this.family === 0) return null;
    const { reader, writer } = this.socket;
    writer.setU8(this.socket.request(this.family, GENL_HEADER_BYTES), NETDEV_CMD_DEV_GET);
    writer.attribute32(NETDEV_A_DEV_IFINDEX, index);
    if (!this.socket.ask(this.family) || !reader.enter(GENL_HEADER_BYTES)) return null;
    while (reader.nextAttribute()) if (reader.attribute === NETDEV_A_DEV_XDP_FEATURES) return reader.value32();
    return null;
  }

  close(): void {
    this.socket.close();
  }
}
