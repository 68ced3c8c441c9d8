/**
 * A process of its own: echoes in one of the ways in which a server can wait, until it is ended.
 *
 * Arguments: way (`dgram`, `attach`, `run`, `spin`), local address without a port.
 */

import { createSocket } from 'node:dgram';
import { Drive } from '../../engine/drive.ts';
import { Runtime } from '../../engine/executor/runtime.ts';
import { TickClock } from '../../engine/tick-clock.ts';
import { addressOf, portOf } from '../../sys/api.ts';
import { openSys } from '../../sys/index.ts';
import { report } from './bench-child.ts';
import { EchoEndpoint } from './echo-endpoint.ts';

export type Waiting = 'dgram' | 'attach' | 'run' | 'spin';

/** Longer than any pause of the probe, so that a spinning server never sleeps. */
const SPIN_MICROS = 1_000_000;

const [way, host] = process.argv.slice(2) as [Waiting, string];
if (way === 'dgram') await serveDgram();
else await serveDrive();

async function serveDgram(): Promise<void> {
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
  socket.on('message', (message, from) => socket.send(message, from.port, from.address));
  await new Promise<void>((resolve) => socket.bind(0, host, resolve));
  report({ port: socket.address().port });
}

async function serveDrive(): Promise<void> {
  const sys = openSys();
  const runtime = new Runtime(sys, sys.openPoller());
  const socket = await sys.openUdp(addressOf(host, 0)!, { slotBytes: 256 });
  const drive = new Drive<null>({
    runtime,
    clock: sys.clock,
    socket,
    endpoint: new EchoEndpoint(),
    sink: null,
    ticks: new TickClock(0, sys.clock.now()),
    wake: 'arrival',
    game: { tick: () => {}, ticked: () => {} },
  });
  runtime.spawn(drive.run(), 'echo');
  report({ port: portOf(socket.localAddress), way: socket.way?.().backend ?? sys.capabilities.backend });
  if (way === 'attach') runtime.attach();
  else await runtime.run({ spinMicros: way === 'spin' ? SPIN_MICROS : 0 });
}
