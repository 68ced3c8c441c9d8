// The simulator's sockets, pollers and clocks keep the promises of sys/api.ts, like every other backend.

import type { SimSocket } from '../../../sim/world/sim-socket.ts';
import { NEVER, type Poller } from '../../../sys/api.ts';
import type { Backend, BackendFactory } from '../../conformance/backend.ts';
import { describeClockConformance } from '../../conformance/clocks.ts';
import { openOutsideOver } from '../../conformance/outside.ts';
import { describePollerConformance } from '../../conformance/pollers.ts';
import { describeSocketConformance } from '../../conformance/sockets.ts';
import { openWorld } from '../open-world.ts';

const probe = openWorld();

const factory: BackendFactory = {
  capabilities: probe.host('probe').sys.capabilities,
  ipv4: '127.0.0.1',
  ipv6: '::1',
  dualStack: '::',
  missing: {
    threads: 'a simulated world has one thread',
    cpu: 'a simulated wait takes no time at all',
    unixTime: 'the calendar of the world is its own',
  },
  open: openBackend,
  congest: async (backend, options) => {
    const socket = (await backend.sys.openUdp(addressBytes(), options)) as SimSocket;
    const receiver = await backend.sys.openUdp(addressBytes());
    socket.blockSending(NEVER);
    return {
      socket,
      receiver,
      release: async () => socket.blockSending(0),
      close: async () => {
        socket.close();
        receiver.close();
      },
    };
  },
};

describeSocketConformance('sim', factory);
describePollerConformance('sim', factory);
describeClockConformance('sim', factory);

function addressBytes(): Uint8Array {
  const bytes = new Uint8Array(24);
  bytes.set([0xff, 0xff, 127, 0, 0, 1], 10);
  return bytes;
}

function openBackend(): Backend {
  const world = openWorld();
  const { sys } = world.host('a');
  const settle = async (poller: Poller, timeoutMicros: number): Promise<number> => {
    let ready = 0;
    let woken = false;
    poller.attach(() => {
      ready = poller.wait(0);
      woken = true;
    });
    await world.run({
      untilMicros: timeoutMicros === NEVER ? NEVER : world.now + timeoutMicros,
      stopWhen: () => woken,
    });
    poller.detach();
    return ready;
  };
  return {
    sys,
    settle,
    elapse: (micros) => world.run({ untilMicros: world.now + micros }),
    openOutside: (host) => openOutsideOver(sys, host, settle),
    close: () => {},
  };
}
