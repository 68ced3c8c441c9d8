/**
 * A process of its own: sends datagrams to a port at a steady rate until it is ended.
 *
 * Arguments: port, datagrams a second, bytes of each, sockets that take turns.
 */

import { ADDRESS_BYTES, addressOf } from '../../sys/api.ts';
import { openSys } from '../../sys/index.ts';

/** Longest sleep between two bursts. */
const NAP_MICROS = 200;
const BATCH = 32;

const [port, rate, bytes, count] = process.argv.slice(2).map(Number) as [number, number, number, number];
const sys = openSys();
const to = addressOf('127.0.0.1', port)!;
const poller = sys.openPoller();
const sockets = await Promise.all(
  Array.from({ length: count }, () =>
    // A peer sends datagram by datagram; joined ones would arrive joined.
    sys.openUdp(addressOf('127.0.0.1', 0)!, { txSlots: BATCH, slotBytes: 2_048, gso: false }),
  ),
);
const start = sys.clock.now();
let sent = 0;
for (let turn = 0; ; turn++) {
  const due = Math.floor(((sys.clock.now() - start) * rate) / 1_000_000) - sent;
  if (due <= 0) {
    poller.wait(NAP_MICROS);
    continue;
  }
  const socket = sockets[turn % count]!;
  const { tx } = socket;
  for (let i = Math.min(due, BATCH); i > 0; i--) {
    const slot = tx.count++;
    tx.length[slot] = bytes;
    tx.address.set(to, slot * ADDRESS_BYTES);
    sent++;
  }
  socket.flush();
  tx.count = 0;
  if (due > rate / 20) sent += due - BATCH; // this machine cannot: what is 50 ms late is not sent at all
}
