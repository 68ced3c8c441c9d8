/** A process of its own: takes in datagrams, and reports four times a second how many, and when. */

import { addressOf, portOf, READABLE } from '../../sys/api.ts';
import { openSys } from '../../sys/index.ts';
import { report } from './bench-child.ts';

/** What it reports. */
export interface Received {
  readonly atMicros: number;
  readonly datagrams: number;
}

const LINE_MICROS = 250_000;

const sys = openSys();
const poller = sys.openPoller();
const socket = await sys.openUdp(addressOf('127.0.0.1', 0)!, { rxSlots: 256, receiveBufferBytes: 4 << 20 });
poller.add(socket, 0, READABLE);
report({ port: portOf(socket.localAddress) });
let lineAt = sys.clock.now() + LINE_MICROS;
for (;;) {
  if (poller.wait(LINE_MICROS) > 0) socket.receive();
  const now = sys.clock.now();
  if (now < lineAt) continue;
  lineAt = now + LINE_MICROS;
  report({ atMicros: now, datagrams: socket.stats.datagramsIn });
  await new Promise((resolve) => setImmediate(resolve)); // lets the line out
}
