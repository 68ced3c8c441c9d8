/**
 * A process of its own: one datagram at a time to an echo server, looking for the answer without ever sleeping, so that what is
 * measured is how the server waits.
 *
 * Arguments: address and port of the server, local address, echoes to warm up, echoes to measure. Between two echoes it pauses,
 * so that a server that can sleep does.
 */

import { ADDRESS_BYTES, addressOf } from '../../sys/api.ts';
import { openSys } from '../../sys/index.ts';
import { report } from './bench-child.ts';

/** Microseconds of a round trip. */
export interface LadderFigures {
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
}

const DATAGRAM_BYTES = 64;
const PAUSE_MICROS = 200;
/** A machine that has other work stalls for a second. */
const LOST_MICROS = 5_000_000;

const [host, port, local, warmUp, echoes] = process.argv.slice(2) as [string, string, string, string, string];
const sys = openSys();
const server = addressOf(host, Number(port))!;
const socket = await sys.openUdp(addressOf(local, 0)!, { rxSlots: 8, txSlots: 1, slotBytes: 256, gso: false });
const nanos = new Float64Array(Number(echoes));

for (let i = -Number(warmUp); i < nanos.length; i++) {
  const took = roundTrip(i);
  if (i >= 0) nanos[i] = took;
  const until = sys.clock.now() + PAUSE_MICROS;
  while (sys.clock.now() < until);
}
nanos.sort();
const at = (share: number): number => nanos[Math.min(nanos.length - 1, Math.floor(share * nanos.length))]! / 1000;
const figures: LadderFigures = { p50: at(0.5), p99: at(0.99), p999: at(0.999) };
report(figures);

function roundTrip(i: number): number {
  const { tx } = socket;
  tx.count = 1;
  tx.offset[0] = tx.home(0);
  tx.length[0] = DATAGRAM_BYTES;
  tx.address.set(server.subarray(0, ADDRESS_BYTES));
  const start = process.hrtime.bigint();
  socket.flush();
  const lostAt = sys.clock.now() + LOST_MICROS;
  while (socket.receive() === 0) {
    if (sys.clock.now() > lostAt) throw new Error(`no echo of number ${i} within ${LOST_MICROS / 1e6} s`);
  }
  return Number(process.hrtime.bigint() - start);
}
