// A game that uses every kind of frame: pieces, keys, ticks, acks; and a capture of a run of it.

import { latestState, reliableOrdered, tickInput, unreliable } from '../../../engine/channels.ts';
import type { Host } from '../../../engine/host.ts';
import { Capture } from '../../../sim/capture/capture.ts';
import type { CaptureSink } from '../../../sim/capture/captured-packet.ts';
import {
  type ClientArgs,
  runScenario,
  type Scenario,
  type ScenarioReport,
  type ServerArgs,
} from '../../../sim/scenario/scenario.ts';

/** Numbers on the wire: by name, so chat 0, doors 1, input 2, world 3. */
const CHANNELS = { chat: reliableOrdered(), doors: latestState(), input: tickInput(), world: unreliable() };
const TICK_MICROS = 16_667;

export async function server(host: Host, { port, address, privateKey, maxClients }: ServerArgs): Promise<void> {
  const options = { port, host: address, privateKey, maxClients, channels: CHANNELS, tickRateHz: 60 } as const;
  const server = await host.listen(options);
  for (let tick = 0; ; tick++) {
    for (const peer of server.peers) {
      peer.send('world', new Uint8Array(90).fill(tick));
      if (tick % 20 === 0) peer.send('doors', Uint8Array.of(tick), { key: tick % 3 });
      if (tick % 60 === 0) peer.send('chat', new Uint8Array(3_000).fill(tick));
    }
    await host.sleep(TICK_MICROS);
  }
}

export async function client(host: Host, args: ClientArgs): Promise<void> {
  const client = await host.connect({ token: args.token, channels: CHANNELS });
  for (let tick = 0; client.state === 'connected'; tick++) {
    client.send('input', Uint8Array.of(tick, 1), { tick });
    if (tick % 7 === 0) client.send('chat', Uint8Array.of(tick));
    await host.sleep(TICK_MICROS);
  }
}

/** Runs two seconds of it in a lossy network, written down by `sinks`. */
export async function runTalk(
  sinks: (capture: Capture) => CaptureSink[],
  options: Partial<Scenario> = {},
): Promise<{ report: ScenarioReport; capture: Capture }> {
  const capture = new Capture();
  capture.sinks.push(...sinks(capture));
  const report = await runScenario({
    name: 'talk',
    game: { server, client },
    clients: 2,
    seconds: 2,
    seed: 7,
    link: { latencyMicros: 30_000, jitterMicros: 2_000, loss: 0.08, duplicate: 0.02, duplicateDelayMicros: 5_000 },
    capture,
    ...options,
  });
  return { report, capture };
}
