/**
 * A process of its own: echoes over `drive` or node:dgram, and reports what its CPU did in the window.
 *
 * Arguments: kind, seconds of warm-up (from the first datagram on), seconds of the window.
 */

import { createSocket } from 'node:dgram';
import { Drive } from '../../engine/drive.ts';
import { Runtime } from '../../engine/executor/runtime.ts';
import { TickClock } from '../../engine/tick-clock.ts';
import { addressOf, portOf } from '../../sys/api.ts';
import { openSys } from '../../sys/index.ts';
import { cpuMicros, report } from './bench-child.ts';
import { EchoEndpoint } from './echo-endpoint.ts';

export type EchoKind = 'tickwire' | 'tickwire-no-gso' | 'dgram';

/** What the server measured. */
export interface EchoFigures {
  readonly echoes: number;
  readonly cpuMicros: number;
}

/** Takes the counts at the start and the end of the window, and ends the process. */
function measureWindow(echoes: () => number, warmUpSeconds: number, windowSeconds: number, end: () => void): void {
  setTimeout(() => {
    const startCpu = cpuMicros();
    const startEchoes = echoes();
    setTimeout(() => {
      report({ echoes: echoes() - startEchoes, cpuMicros: cpuMicros() - startCpu });
      end();
    }, windowSeconds * 1000);
  }, warmUpSeconds * 1000);
}

async function serveDgram(warmUpSeconds: number, windowSeconds: number): Promise<void> {
  const socket = createSocket('udp4');
  let echoes = 0;
  socket.on('message', (message, from) => {
    if (echoes === 0)
      measureWindow(
        () => echoes,
        warmUpSeconds,
        windowSeconds,
        () => socket.close(),
      );
    echoes++;
    socket.send(message, from.port, from.address);
  });
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  report({ port: socket.address().port });
}

async function serveDrive(gso: boolean, warmUpSeconds: number, windowSeconds: number): Promise<void> {
  const sys = openSys();
  const runtime = new Runtime(sys, sys.openPoller());
  const socket = await sys.openUdp(addressOf('127.0.0.1', 0)!, { slotBytes: 256, gso });
  const endpoint = new EchoEndpoint();
  const drive = new Drive<null>({
    runtime,
    clock: sys.clock,
    socket,
    endpoint,
    sink: null,
    ticks: new TickClock(0, sys.clock.now()),
    wake: 'arrival',
    game: { tick: () => {}, ticked: () => {} },
  });
  runtime.spawn(drive.run(), 'echo');
  let measuring = false;
  const ran = runtime.run({
    until: () => {
      if (!measuring && endpoint.received > 0) {
        measuring = true;
        measureWindow(
          () => endpoint.received - endpoint.dropped,
          warmUpSeconds,
          windowSeconds,
          () => runtime.stop(),
        );
      }
      return false;
    },
  });
  report({ port: portOf(socket.localAddress) });
  await ran;
  runtime.close();
}

const [kind, warmUp, window] = process.argv.slice(2);
if (kind === 'dgram') await serveDgram(Number(warmUp), Number(window));
else await serveDrive(kind !== 'tickwire-no-gso', Number(warmUp), Number(window));
