// Hosts that pause, crash, start again, and whose code costs time.

import { describe, expect, it } from 'vitest';
import type { HostOptions, SimHost } from '../../../sim/world/host.ts';
import type { SimSocket } from '../../../sim/world/sim-socket.ts';
import type { World } from '../../../sim/world/world.ts';
import { addressOf, NEVER, READABLE } from '../../../sys/api.ts';
import { ECHO_PORT, listen, openWorld, send, startAsker, startEcho } from '../open-world.ts';

const SECOND = 1_000_000;
const TO = addressOf('10.0.0.1', 9)!;

describe('SimHost.pause', () => {
  it('lets timers and deadlines of the host fire late, at the end, in their order; its clock goes on', async () => {
    const { world, host } = alone();
    const fired: [string, number, number][] = [];
    const note = (name: string) => fired.push([name, world.now, host.now]);
    world.start(host, 0, () => {
      setTimeout(() => note('late'), 30);
      setTimeout(() => note('later'), 40);
      setTimeout(() => note('after'), 200);
      const poller = host.sys.openPoller();
      poller.attach(() => {
        poller.wait(0);
        note('poller');
      });
      poller.arm(host.sys.clock.now() + 35_000);
    });
    await world.run({ untilMicros: 20_000 });
    host.pause(100_000);
    await world.run({ untilMicros: SECOND });
    const times = { late: 120_000, poller: 120_000, later: 120_000, after: 200_000 };
    expect(fired.map(([name, at]) => [name, at])).toEqual(Object.entries(times));
    for (const [, at, hostAt] of fired) expect(hostAt).toBe(at + host.clockOriginMicros);
    expect(host.faultStats).toMatchObject({ pauses: 1, delayedTurns: 3 });
  });

  it('does not touch the other hosts', async () => {
    const { world, host } = alone();
    const other = world.host('b');
    let fired = 0;
    world.start(other, 50_000, () => fired++);
    host.pause(SECOND);
    await world.run({ untilMicros: 50_000 });
    expect(fired).toBe(1);
  });

  it('fills the receive buffer of the host, and what does not fit overflows', async () => {
    const { world, host, from, socket, heard } = await listening({ receiveBufferBytesMax: 10_000 });
    host.pause(100_000);
    world.start(from, world.now, () => {
      for (let i = 0; i < 100; i++) send(socket, TO, new Uint8Array(360).fill(i));
    });
    await world.run({ untilMicros: world.now + 99_000 });
    expect(heard).toEqual([]);
    await world.run({ untilMicros: world.now + 2_000 });
    expect(heard).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(world.stats).toMatchObject({ delivered: 10, overflowed: 90 });
  });

  it('ends when the longest of several ends', async () => {
    const { world, host } = alone();
    let at = -1;
    host.pause(100_000);
    host.pause(10_000);
    world.start(host, 1_000, () => {
      at = world.now;
    });
    await world.run({ untilMicros: 50_000 });
    host.pause(80_000);
    await world.run({ untilMicros: SECOND });
    expect(at).toBe(130_000);
  });

  it('leaves a poller that was armed anew meanwhile with its newest deadline only', async () => {
    const { world, host } = alone();
    const turns: number[] = [];
    const poller = host.sys.openPoller();
    poller.attach(() => {
      poller.wait(0);
      turns.push(world.now);
    });
    poller.arm(host.sys.clock.now() + 50_000);
    world.start(host, 10_000, () => host.pause(90_000));
    world.start(host, 20_000, () => poller.arm(host.sys.clock.now() + 70_000));
    await world.run({ untilMicros: SECOND });
    expect(turns).toEqual([170_000]);
    expect(host.faultStats.delayedTurns).toBe(2); // the second timer, and the first deadline
  });

  it('does not keep the deadline event that an earlier one has made void', async () => {
    const { world, host } = alone();
    const turns: number[] = [];
    const poller = host.sys.openPoller();
    const arm = (time: number) => poller.arm(time + host.clockOriginMicros);
    poller.attach(() => {
      poller.wait(0);
      turns.push(world.now);
      if (turns.length === 1) arm(80_000);
    });
    arm(50_000);
    arm(30_000);
    world.start(host, 40_000, () => host.pause(90_000));
    await world.run({ untilMicros: SECOND });
    expect(turns).toEqual([30_000, 130_000]);
    expect(host.faultStats.delayedTurns).toBe(1);
  });

  it.each([0, -1, 1.5, 3_600_000_001])('refuses %d', (micros) => {
    const { host } = alone();
    expect(() => host.pause(micros)).toThrow(RangeError);
    expect(() => host.pause(micros)).toThrow('pause a: pauseMicros is an integer in 1 .. 3600000000');
  });
});

describe('World.crash', () => {
  it('takes sockets, pollers, timers and tasks of the host with it; nothing is sent, and nothing goes on', async () => {
    const { world, host, from, socket, heard, own } = await listening({});
    const done: string[] = [];
    world.start(host, world.now, async () => {
      setTimeout(() => done.push('timeout'), 10);
      setInterval(() => done.push('interval'), 10);
      host.at(world.now + 10_000, () => done.push('at'));
      own.tx.count = 1;
      own.tx.length[0] = 1;
      own.tx.address.set(addressOf('10.0.0.2', 8)!);
      await new Promise((resolve) => setTimeout(resolve, 10));
      done.push('awaited');
    });
    world.start(host, world.now + 50_000, () => done.push('started later'));
    await world.run({ untilMicros: world.now + 5_000 });
    const before = world.stats.sent;
    world.crash(host);
    world.crash(host);
    expect(host.isDown).toBe(true);
    expect([own.flush(), own.receive()]).toEqual([0, 0]);
    world.start(from, world.now, () => send(socket, TO, new Uint8Array(1)));
    await world.run({ untilMicros: world.now + SECOND });
    expect([done, heard]).toEqual([[], []]);
    expect(world.stats).toMatchObject({ sent: before + 1, unheard: 1 });
    expect(host.faultStats).toMatchObject({ crashes: 1, restarts: 0 });
    expect(world.datagramsHeld).toBe(0);
  });

  it('leaves what code that outlives it still does without effect', async () => {
    const { world, host } = alone();
    let opened = false;
    world.start(host, 0, () => {
      world.crash(host);
      const poller = host.sys.openPoller();
      poller.attach(() => {});
      void host.sys.openUdp(addressOf('0.0.0.0', 9)!).then(() => {
        opened = true;
      });
      setTimeout(() => {
        opened = true;
      }, 10);
    });
    await world.run({ untilMicros: SECOND });
    expect(opened).toBe(false);
    expect(() => world.start(host, 0, () => {})).toThrow("host 'a' is down: restart() it");
  });

  it('frees the ports: a restart binds them again under the same addresses, with the clock gone on', async () => {
    const { world, host, from, socket, heard } = await listening({});
    const tell = async (byte: number) => {
      world.start(from, world.now, () => send(socket, TO, Uint8Array.of(byte)));
      await world.run({ untilMicros: world.now + 1_000 });
    };
    await tell(1);
    world.crash(host);
    await tell(2);
    const now = host.now;
    await world.run({ untilMicros: world.now + 100_000 });
    world.restart(host, () => listen(host, 9, ({ bytes }) => heard.push(bytes[0]!)));
    await tell(3);
    expect(heard).toEqual([1, 3]);
    expect(host.now).toBeGreaterThan(now + 100_000);
    expect(host.faultStats).toMatchObject({ crashes: 1, restarts: 1 });
    expect(() => world.restart(host, () => {})).toThrow("host 'a' runs: crash() it before");
  });

  it.each([0, SECOND])(
    'leaves no timer of the first life to the second, nor its pause of %d us',
    async (pauseMicros) => {
      const { world, host } = alone();
      const fired: string[] = [];
      world.start(host, 0, () => {
        setInterval(() => fired.push('first'), 10);
      });
      await world.run({ untilMicros: 35_000 });
      if (pauseMicros > 0) host.pause(pauseMicros);
      await world.run({ untilMicros: 39_000 });
      world.crash(host);
      world.restart(host, () => {
        setTimeout(() => fired.push('second'), 10);
      });
      await world.run({ untilMicros: 2 * SECOND });
      expect(fired).toEqual(['first', 'first', 'first', 'second']);
    },
  );

  it('gives back the places of timers that waited for the end of a pause', async () => {
    const { world, host } = alone();
    let fired = 0;
    for (let life = 0; life < 1_100; life++) {
      world.start(host, world.now, () => {
        for (let i = 0; i < 1_000; i++) setTimeout(() => fired++, 1);
        host.pause(10_000);
      });
      await world.run({ untilMicros: world.now + 5_000 });
      world.crash(host);
      world.restart(host, () => {});
      await world.run({ untilMicros: world.now });
    }
    expect(fired).toBe(0); // and no error: more than 2^20 timers at once would be one
  });

  it('ends a run with the error of a second life too', async () => {
    const { world, host } = alone();
    world.crash(host);
    world.restart(host, () => Promise.reject(new Error('again')));
    await expect(world.run({ untilMicros: 10 })).rejects.toThrow('again');
  });
});

describe('a CPU that costs time', () => {
  it('lets the next turn wait for what a turn has cost: packets, bytes and itself', async () => {
    const cpu = { perTurnNanos: 50_000, perPacketNanos: 10_000, perByteNanos: 100 };
    const { world, host, from, socket, at } = await listening({ cpu });
    for (let i = 0; i < 3; i++) world.start(from, 10_000 + i, () => send(socket, TO, new Uint8Array(400)));
    await world.run({ untilMicros: SECOND });
    // The first turn of a packet takes 50 + 10 + 40 us, in which the other two arrive; they share the next.
    expect(at).toEqual([10_000, 10_100, 10_100]);
    expect(host.faultStats.busyMicros).toBe(50 /* the start */ + 100 + 150);
  });

  it('carries what is less than a microsecond to the next turn', async () => {
    const { world, host } = alone({ cpu: { perTurnNanos: 333 } });
    for (let i = 0; i < 3_000; i++) world.start(host, i * 10, () => {});
    await world.run({ untilMicros: SECOND });
    expect(host.faultStats.busyMicros).toBe(999);
  });

  it('has turns that wait one after the other, none lost, at the pace of its cost', async () => {
    const { world, host } = alone({ cpu: { perTurnNanos: 1_000_000 } });
    const at: [number, number][] = [];
    for (let i = 0; i < 3_000; i++) world.start(host, i * 100, () => at.push([i, world.now]));
    await world.run({ untilMicros: 10 * SECOND });
    expect(at).toEqual(Array.from({ length: 3_000 }, (_, i) => [i, i * 1_000]));
  });

  it('overflows the receive buffer when more comes than it can take, and takes as much as it can', async () => {
    const { world, from, socket, heard } = await listening({
      cpu: { perPacketNanos: 1_000_000 },
      receiveBufferBytesMax: 20_000,
    });
    for (let i = 0; i < 2_000; i++) world.start(from, 10_000 + i * 500, () => send(socket, TO, new Uint8Array(360)));
    await world.run({ untilMicros: 10_000 + SECOND });
    expect(heard.length).toBeGreaterThan(980);
    expect(heard.length).toBeLessThan(1_041); // a thousand, and what its last turns have taken in advance
    expect(world.stats.overflowed).toBeGreaterThan(930);
  });

  it.each(['perTurnNanos', 'perPacketNanos', 'perByteNanos'])('refuses a %s that is none', (field) => {
    for (const value of [-1, 0.5, 1_000_000_001]) {
      expect(() => alone({ cpu: { [field]: value } })).toThrow(RangeError);
      expect(() => alone({ cpu: { [field]: value } })).toThrow(`cpu of a: ${field} is an integer in 0 .. 1000000000`);
    }
  });
});

describe('SimHost.boundReceiveBuffers', () => {
  it('bounds the buffers of open sockets and of those to come, whatever they ask for', async () => {
    const { world, host, from, socket } = await listening({});
    const sockets: SimSocket[] = [];
    host.boundReceiveBuffers(10_000);
    world.start(host, world.now, async () => {
      sockets.push(await host.sys.openUdp(addressOf('0.0.0.0', 10)!, { receiveBufferBytes: 4 << 20 }));
      sockets.push(await host.sys.openUdp(addressOf('0.0.0.0', 11)!, { receiveBufferBytes: 4 << 20 }));
    });
    await world.run({ untilMicros: world.now });
    const flood = async (port: number) => {
      const before = world.stats.delivered;
      world.start(from, world.now, () => {
        for (let i = 0; i < 100; i++) send(socket, addressOf('10.0.0.1', port)!, new Uint8Array(360));
      });
      await world.run({ untilMicros: world.now + 1_000 });
      return world.stats.delivered - before;
    };
    expect(await flood(10)).toBe(10);
    host.boundReceiveBuffers(20_000);
    expect([await flood(10), await flood(11)]).toEqual([10, 20]);
    expect(() => host.boundReceiveBuffers(100)).toThrow(/receive buffers of a: bytesMax is an integer in 2048 \.\./);
  });
});

it('has all of it in the digest, the same each time', async () => {
  const digests = new Map<string, string>();
  const faults: Record<string, (world: World, host: SimHost) => void> = {
    none: () => {},
    pause: (_, host) => host.pause(50_000),
    cpu: (_, host) => host.setCpu({ perPacketNanos: 100_000 }),
    buffers: (_, host) => host.boundReceiveBuffers(4_096),
    crash: (world, host) => world.crash(host),
    restart: (world, host) => {
      world.crash(host);
      world.restart(host, () => listen(host, ECHO_PORT, ({ from, bytes }, own) => send(own, from, bytes)));
    },
  };
  for (const [name, act] of Object.entries({ ...faults, ...faults })) {
    for (const _ of [1, 2]) {
      const world = openWorld({ link: { latencyMicros: 10_000, jitterMicros: 5_000 } });
      const server = startEcho(world);
      for (let i = 0; i < 3; i++) startAsker(world, `client-${i}`, server, 50);
      await world.run({ untilMicros: 500_000 });
      act(world, server);
      await world.run({ untilMicros: NEVER });
      expect(world.digest()).toBe(digests.get(name) ?? world.digest());
      digests.set(name, world.digest());
    }
  }
  expect(new Set(digests.values()).size).toBe(6);
});

function alone(options: HostOptions = {}): { world: World; host: SimHost } {
  const world = openWorld();
  return { world, host: world.host('a', options) };
}

/** A host that listens on port 9, and one that may send to it. Nothing has been sent; it is 5 ms. */
async function listening(options: HostOptions) {
  const { world, host } = alone(options);
  const from = world.host('b');
  const heard: number[] = [];
  const at: number[] = [];
  let socket!: SimSocket;
  let own!: SimSocket;
  world.start(host, 0, async () => {
    own = await host.sys.openUdp(addressOf('0.0.0.0', 9)!);
    const poller = host.sys.openPoller();
    poller.add(own, 0, READABLE);
    poller.attach(() => {
      poller.wait(0);
      for (let n = own.receive(); n > 0; n = own.receive()) {
        for (let slot = 0; slot < n; slot++) heard.push(own.rx.arena[own.rx.offset[slot]!]!);
        for (let slot = 0; slot < n; slot++) at.push(world.now);
      }
    });
  });
  world.start(from, 0, async () => {
    socket = await listen(from, 8, () => {});
  });
  await world.run({ untilMicros: 5_000 });
  return { world, host, from, socket, own, heard, at };
}
