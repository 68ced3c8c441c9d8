/** The scenario in which the proxy is compared with the simulator, and the distance of what they measure. */

import { World } from '../../sim/index.ts';
import type { DirectionOptions } from '../../sim/link/direction-options.ts';
import { addressOf, READABLE } from '../../sys/api.ts';

export const SEED = '7';
export const RATE_HZ = 60;
export const DATAGRAMS: number = RATE_HZ * 10;
/** A line that is nearly full with the sizes of `probeBytes`, and a queue that drops none, so that no fate hangs on time. */
export const SCENARIO: DirectionOptions = {
  rateBitsPerSecond: 200_000,
  queueBytes: 100_000,
  latencyMicros: 30_000,
  jitterMicros: 10_000,
  loss: { model: 'gilbert-elliott', loss: 0.05, meanBurstPackets: 3 },
};

/** 40 to 539 bytes; each 16th one 1,000. */
export function probeBytes(n: number): number {
  return n % 16 === 15 ? 1_000 : 40 + ((n * 97) % 500);
}

export interface Arrived {
  readonly index: readonly number[];
  readonly micros: readonly number[];
}

/** The same stream in virtual time, sent when the other one was. */
export async function simulate(sendAt: readonly number[]): Promise<Arrived> {
  const world = new World({ seed: SEED });
  const server = world.host('server');
  const client = world.host('client-0');
  world.direction(client, server).configure(SCENARIO);
  const found = { index: [] as number[], micros: [] as number[] };
  const sentAt: number[] = [];
  world.start(server, 0, async () => {
    const socket = await server.sys.openUdp(addressOf('0.0.0.0', 9)!);
    const poller = server.sys.openPoller();
    poller.add(socket, 0, READABLE);
    poller.attach(() => {
      poller.wait(0);
      while (socket.receive() > 0) {
        for (let slot = 0; slot < socket.rx.count; slot++) {
          const n = socket.rx.view.getUint32(socket.rx.offset[slot]!, true);
          found.index.push(n);
          found.micros.push(world.now - sentAt[n]!);
        }
      }
    });
  });
  world.start(client, 0, async () => {
    const socket = await client.sys.openUdp(addressOf('0.0.0.0', 0)!);
    const to = addressOf('10.0.0.1', 9)!;
    for (let n = 0; n < DATAGRAMS; n++) {
      client.at(10_000 + sendAt[n]!, () => {
        socket.tx.count = 1;
        socket.tx.view.setUint32(socket.tx.offset[0]!, n, true);
        socket.tx.length[0] = probeBytes(n);
        socket.tx.address.set(to);
        sentAt[n] = world.now;
        socket.flush();
      });
    }
  });
  await world.run({ untilMicros: 30_000_000 });
  return found;
}

/** The largest difference of two cumulative distributions of milliseconds (Kolmogorov-Smirnov), at steps of one. */
export function distance(a: readonly number[], b: readonly number[]): number {
  let largest = 0;
  const last = Math.ceil(Math.max(...a, ...b) / 1000) + 1;
  for (let millis = 0; millis <= last; millis++) {
    largest = Math.max(largest, Math.abs(share(a, millis) - share(b, millis)));
  }
  return largest;
}

/** The share of `micros` below `millis` + 1/2: half a step away from the whole milliseconds that delays of a link are. */
export function share(micros: readonly number[], millis: number): number {
  return micros.filter((one) => one < millis * 1000 + 500).length / micros.length;
}
