/** What the kernel tells unasked: links, addresses, routes, rules and neighbours that have changed. */

import type { Micros } from '../../api.ts';
import { AF_INET, AF_INET6, MAPPED_WORD } from '../../posix/sockaddr.ts';
import * as abi from './abi.ts';
import type { Links } from './links.ts';
import { usableMacAt } from './lookup.ts';
import type { MessageReader } from './message.ts';
import { NetlinkSocket, NOTHING, OVERRUN } from './netlink-socket.ts';

/** How often the kernel is asked for news at most. A call without news takes 0.3 us. */
const INTERVAL_MICROS = 500;
/** Datagrams of news that one look takes in; more means a storm, after which nothing known is worth its keep. */
const DATAGRAMS_MAX = 256;
const GROUPS: readonly number[] = [
  abi.RTNLGRP_LINK,
  abi.RTNLGRP_NEIGH,
  abi.RTNLGRP_IPV4_IFADDR,
  abi.RTNLGRP_IPV4_ROUTE,
  abi.RTNLGRP_IPV4_RULE,
  abi.RTNLGRP_IPV6_IFADDR,
  abi.RTNLGRP_IPV6_ROUTE,
  abi.RTNLGRP_IPV6_RULE,
  abi.RTNLGRP_NEXTHOP,
];

/** Who must know. */
export interface NewsListener {
  forgetAll(): void;
  overrun(): void;
  routeChanged(prefix: Int32Array, bits: number): void;
  neighbourChanged(interfaceIndex: number, address: Int32Array, mac: Uint8Array, macAt: number): void;
}

/** A subscription. */
export class News {
  private readonly socket: NetlinkSocket = new NetlinkSocket(GROUPS);
  private readonly links: Links;
  private readonly listener: NewsListener;
  private readonly address: Int32Array = new Int32Array(4);
  private readonly takenAt: Float64Array = new Float64Array([-INTERVAL_MICROS]);

  /** @param links is kept up to date */
  constructor(links: Links, listener: NewsListener) {
    this.links = links;
    this.listener = listener;
  }

  /** Passes on what has come, unless it has just been done. */
  take(now: Micros): void {
    if (now - this.takenAt[0]! < INTERVAL_MICROS) return;
    this.takenAt[0] = now;
    for (let datagrams = 0; datagrams < DATAGRAMS_MAX; datagrams++) {
      const received = this.socket.receive();
      if (received === NOTHING) return;
      if (received === OVERRUN) this.listener.overrun();
      else while (this.socket.reader.next()) this.tell(this.socket.reader);
    }
    this.listener.overrun();
  }

  close(): void {
    this.socket.close();
  }

  private tell(reader: MessageReader): void {
    const { listener, links } = this;
    switch (reader.type) {
      case abi.RTM_NEWLINK:
        // All rows: what used this link may have another now, and what had another may prefer this one.
        if (links.update(reader)) listener.forgetAll();
        break;
      case abi.RTM_DELLINK:
        if (links.remove(reader)) listener.forgetAll();
        break;
      case abi.RTM_NEWADDR:
      case abi.RTM_DELADDR:
      case abi.RTM_NEWRULE:
      case abi.RTM_DELRULE:
      case abi.RTM_NEWNEXTHOP:
      case abi.RTM_DELNEXTHOP:
        listener.forgetAll();
        break;
      case abi.RTM_NEWROUTE:
      case abi.RTM_DELROUTE:
        this.tellRoute(reader);
        break;
      case abi.RTM_NEWNEIGH:
      case abi.RTM_DELNEIGH:
        this.tellNeighbour(reader);
        break;
    }
  }

  private tellRoute(reader: MessageReader): void {
    const { body, bytes, view } = reader;
    if (!reader.enter(abi.Rtmsg.SIZE)) return;
    const family = bytes[body + abi.Rtmsg.family];
    if (family !== AF_INET && family !== AF_INET6) return;
    if ((view.getInt32(body + abi.Rtmsg.flags, true) & abi.RTM_F_CLONED) !== 0) return;
    const bits = bytes[body + abi.Rtmsg.destinationBits]!;
    this.address.fill(0);
    if (family === AF_INET) this.address[2] = MAPPED_WORD;
    while (reader.nextAttribute()) {
      if (reader.attribute === abi.RTA_DST) reader.valueAddress(this.address, 0);
    }
    this.listener.routeChanged(this.address, bits);
  }

  private tellNeighbour(reader: MessageReader): void {
    const { body, bytes, view } = reader;
    if (!reader.enter(abi.Ndmsg.SIZE)) return;
    const family = bytes[body + abi.Ndmsg.family];
    if (family !== AF_INET && family !== AF_INET6) return; // the forwarding tables of bridges come here too
    const state = reader.type === abi.RTM_DELNEIGH ? 0 : view.getUint16(body + abi.Ndmsg.state, true);
    let addressed = false;
    let macAt = -1;
    while (reader.nextAttribute()) {
      if (reader.attribute === abi.NDA_DST) addressed = reader.valueAddress(this.address, 0);
      else if (reader.attribute === abi.NDA_LLADDR) macAt = usableMacAt(reader, state);
    }
    if (!addressed) return;
    this.listener.neighbourChanged(view.getInt32(body + abi.Ndmsg.interface, true), this.address, bytes, macAt);
  }
}
