/**
 * A process of its own: sends datagrams to a proxy at a steady rate until it is ended, takes in what comes out of it, and
 * reports four times a second how much that is. One process, since two would take turns on their core as the scheduler likes.
 *
 * Arguments: JSON of `Load`.
 */

import { ADDRESS_BYTES, addressOf } from '../../sys/api.ts';
import { openSys } from '../../sys/index.ts';
import { report } from './bench-child.ts';

export interface Load {
  /** Where what the proxy sends is received. */
  readonly bindPort: number;
  readonly toPort: number;
  readonly packetsPerSecond: number;
  readonly bytes: number;
  /** Sockets that take turns: clients of the proxy. */
  readonly clients: number;
}

/** What it reports. */
export interface Received {
  readonly atMicros: number;
  readonly datagrams: number;
}

/** Longest sleep when nothing is to be sent. */
const NAP_MICROS = 100;
const BATCH = 32;
const LINE_MICROS = 250_000;
/** What could not be sent for so long is not sent at all. */
const BACKLOG_MICROS = 20_000;

const load = JSON.parse(process.argv[2]!) as Load;
const rate = load.packetsPerSecond;
const sys = openSys();
const to = addressOf('127.0.0.1', load.toPort)!;
const poller = sys.openPoller();
const sink = await sys.openUdp(addressOf('127.0.0.1', load.bindPort)!, { rxSlots: 256, receiveBufferBytes: 4 << 20 });
poller.add(sink, 0, 1);
const clients = await Promise.all(
  Array.from({ length: load.clients }, () =>
    // A peer sends datagram by datagram; joined ones would arrive joined.
    sys.openUdp(addressOf('127.0.0.1', 0)!, { txSlots: BATCH, gso: false }),
  ),
);
const start = sys.clock.now();
let sent = 0;
let lineAt = start + LINE_MICROS;
for (let turn = 0; ; turn++) {
  sink.receive();
  const now = sys.clock.now();
  if (now >= lineAt) {
    lineAt = now + LINE_MICROS;
    report({ atMicros: now, datagrams: sink.stats.datagramsIn });
    await new Promise((resolve) => setImmediate(resolve)); // lets the line out
  }
  const target = ((now - start) * rate) / 1_000_000;
  const due = Math.floor(target) - sent;
  if (due <= 0) {
    poller.wait(NAP_MICROS);
    continue;
  }
  const socket = clients[turn % clients.length]!;
  const { tx } = socket;
  for (let i = Math.min(due, BATCH); i > 0; i--) {
    const slot = tx.count++;
    tx.length[slot] = load.bytes;
    tx.address.set(to, slot * ADDRESS_BYTES);
    sent++;
  }
  socket.flush();
  tx.count = 0;
  const backlog = (BACKLOG_MICROS * rate) / 1_000_000;
  if (due > backlog) sent = Math.floor(target - backlog);
}
