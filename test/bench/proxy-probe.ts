/**
 * A process of its own: sends a stream of datagrams from one socket to a port (a proxy's, or that of its own other socket),
 * takes them in with the other one, and reports how long each took.
 *
 * Awake it measures the way and not its own waking up. Arguments: JSON of `Stream`.
 */

import { addressOf, READABLE } from '../../sys/api.ts';
import { openSys } from '../../sys/index.ts';
import { report } from './bench-child.ts';
import { probeBytes } from './proxy-workload.ts';

export interface Stream {
  /** Where the other socket is bound. */
  readonly bindPort: number;
  readonly toPort: number;
  readonly rateHz: number;
  readonly datagrams: number;
  /** Sizes as in the scenario, or all of 64 bytes. */
  readonly sizes: boolean;
  /** Whether it sleeps while nothing is to be done. */
  readonly sleeps: boolean;
}

export interface Latencies {
  /** One-way, in order of arrival. */
  readonly micros: readonly number[];
  /** The datagram of each. */
  readonly index: readonly number[];
  /** When each datagram was sent, from the first on. */
  readonly sentAt: readonly number[];
}

/** After the last was sent. */
const PATIENCE_MICROS = 500_000;

const stream = JSON.parse(process.argv[2]!) as Stream;
const sys = openSys();
const sender = await sys.openUdp(addressOf('127.0.0.1', 0)!);
// The kernel's stamps: asleep, the probe would count its own waking up.
const columns = { receivedAt: stream.sleeps && sys.capabilities.receivedAt };
const receiver = await sys.openUdp(addressOf('127.0.0.1', stream.bindPort)!, { columns });
const poller = sys.openPoller();
poller.add(receiver, 0, READABLE);
const to = addressOf('127.0.0.1', stream.toPort)!;
const sentAt = new Float64Array(stream.datagrams);
const micros: number[] = [];
const index: number[] = [];
const start = sys.clock.now() + 10_000;
const end = start + (stream.datagrams * 1_000_000) / stream.rateHz + PATIENCE_MICROS;
let sent = 0;
for (let now = sys.clock.now(); now < end && micros.length < stream.datagrams * 2; now = sys.clock.now()) {
  if (sent < stream.datagrams && now >= start + (sent * 1_000_000) / stream.rateHz) {
    const { tx } = sender;
    tx.count = 1;
    tx.view.setUint32(tx.offset[0]!, sent, true);
    tx.length[0] = stream.sizes ? probeBytes(sent) : 64;
    tx.address.set(to);
    sentAt[sent++] = sys.clock.now();
    sender.flush();
  }
  if (stream.sleeps) {
    const next = sent < stream.datagrams ? start + (sent * 1_000_000) / stream.rateHz : end;
    poller.wait(Math.max(0, next - sys.clock.now()));
  }
  const count = receiver.receive();
  if (count === 0) continue;
  const arrived = sys.clock.now();
  for (let slot = 0; slot < count; slot++) {
    const n = receiver.rx.view.getUint32(receiver.rx.offset[slot]!, true);
    index.push(n);
    micros.push((receiver.rx.receivedAt?.[slot] ?? arrived) - sentAt[n]!);
  }
}
report({ micros, index, sentAt: Array.from(sentAt, (time) => time - sentAt[0]!) });
