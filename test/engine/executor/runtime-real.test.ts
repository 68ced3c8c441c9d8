/** The runtime over the real machine: beside a busy http server in Node's loop, and alone with its thread. */

import { readFile } from 'node:fs/promises';
import { Agent, createServer, get, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, test } from 'vitest';
import { Runtime } from '../../../engine/executor/runtime.ts';
import type { TaskBody } from '../../../engine/executor/task.ts';
import { ADDRESS_BYTES, addressOf, type DatagramSocket, NEVER, READABLE, type Sys } from '../../../sys/api.ts';
import { library } from '../../../sys/ffi/library.ts';
import { type Backend, openSys } from '../../../sys/index.ts';

/** The backend here that can block; null where there is only Node's loop. */
const blocking: Backend | null =
  library() !== null && (process.platform === 'linux' || process.platform === 'win32') ? 'udp' : null;
const unlessBlocking = blocking !== null ? '' : ' (skipped: no backend here can block)';

interface Bench {
  readonly sys: Sys;
  readonly runtime: Runtime;
  open(): Promise<DatagramSocket>;
  close(): void;
}

function bench(backend: Backend): Bench {
  const sys = openSys({ backend });
  const runtime = new Runtime(sys, sys.openPoller());
  const sockets: DatagramSocket[] = [];
  return {
    sys,
    runtime,
    async open() {
      const socket = await sys.openUdp(addressOf('127.0.0.1', 0) as Uint8Array);
      sockets.push(socket);
      return socket;
    },
    close() {
      runtime.close();
      for (const socket of sockets) socket.close();
      sys.close();
    },
  };
}

/** Sends back all that comes. */
function* echoing(runtime: Runtime, socket: DatagramSocket): TaskBody<void> {
  const registration = runtime.reactor.register(socket);
  try {
    registration.want(READABLE);
    for (;;) {
      yield* registration.ready(NEVER);
      while (socket.receive() > 0) {
        for (let slot = 0; slot < socket.rx.count; slot++) {
          const address = slot * ADDRESS_BYTES;
          sendOne(
            socket,
            socket.rx.address.subarray(address, address + ADDRESS_BYTES),
            socket.rx.length[slot] as number,
          );
        }
      }
    }
  } finally {
    registration.close();
  }
}

function sendOne(socket: DatagramSocket, to: Uint8Array, bytes: number): void {
  socket.tx.address.set(to, 0);
  socket.tx.length[0] = bytes;
  socket.tx.count = 1;
  socket.flush();
}

/** Sends a datagram, waits for its echo up to 200 ms, and so on; returns how many came back. */
function* asking(runtime: Runtime, socket: DatagramSocket, to: Uint8Array, count: number): TaskBody<number> {
  const registration = runtime.reactor.register(socket);
  let echoes = 0;
  try {
    registration.want(READABLE);
    for (let i = 0; i < count; i++) {
      sendOne(socket, to, 40);
      if ((yield* registration.ready(runtime.now + 200_000)) === 0) continue;
      for (let n = socket.receive(); n > 0; n = socket.receive()) echoes += n;
    }
  } finally {
    registration.close();
  }
  return echoes;
}

function listening(server: Server): Promise<string> {
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`));
  });
}

function fetched(url: string, agent: Agent): Promise<string> {
  return new Promise((resolve, reject) => {
    get(url, { agent }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (text) => {
        body += text;
      });
      response.on('end', () => resolve(body));
    }).on('error', reject);
  });
}

/** What a web framework does with a thread. */
function burn(micros: number): void {
  const end = process.hrtime.bigint() + BigInt(micros) * 1_000n;
  while (process.hrtime.bigint() < end);
}

const backends: Backend[] = blocking !== null ? [blocking, 'dgram'] : ['dgram'];

describe.each(backends)('attached, over %s', (backend) => {
  test('echoes every datagram beside a busy http server, and http, timers, files and promises go on', async () => {
    const at = bench(backend);
    const server = createServer((_request, response) => {
      burn(1_500);
      response.end('page');
    });
    const agent = new Agent({ keepAlive: true, maxSockets: 4 });
    const url = await listening(server);
    try {
      const socket = await at.open();
      const client = await at.open();
      at.runtime.attach();
      at.runtime.spawn(echoing(at.runtime, socket));
      let over = false;
      const echoes = at.runtime.promiseOf(at.runtime.spawn(asking(at.runtime, client, socket.localAddress, 100)));
      void echoes.then(() => {
        over = true;
      });
      let timers = 0;
      const interval = setInterval(() => timers++, 2);
      let pages = 0;
      const browse = async (): Promise<void> => {
        while (!over || pages < 40) if ((await fetched(url, agent)) === 'page') pages++;
      };
      let files = 0;
      const read = async (): Promise<void> => {
        while (!over || files < 10) if ((await readFile(import.meta.filename)).length > 0) files++;
      };
      await Promise.all([browse(), browse(), browse(), read(), at.runtime.sleep(100_000)]);
      clearInterval(interval);
      expect(await echoes).toBe(100);
      expect(pages).toBeGreaterThanOrEqual(40);
      expect(files).toBeGreaterThanOrEqual(10);
      expect(timers).toBeGreaterThan(10);
    } finally {
      agent.destroy();
      server.close();
      at.close();
    }
  });

  test('serves http while a task never runs out of work', async () => {
    const at = bench(backend);
    const server = createServer((_request, response) => response.end('page'));
    const agent = new Agent({ keepAlive: true });
    const url = await listening(server);
    try {
      let rounds = 0;
      at.runtime.attach();
      at.runtime.spawn(
        (function* (): TaskBody<void> {
          for (;;) {
            rounds++;
            yield* at.runtime.yieldNow();
          }
        })(),
      );
      for (let i = 0; i < 20; i++) expect(await fetched(url, agent)).toBe('page');
      expect(rounds).toBeGreaterThan(20);
    } finally {
      agent.destroy();
      server.close();
      at.close();
    }
  });

  test('settles promises after a turn, before anything else of the loop runs', async () => {
    const at = bench(backend);
    try {
      at.runtime.attach();
      const order: string[] = [];
      const task = at.runtime.spawn(
        (function* (): TaskBody<void> {
          yield* at.runtime.sleepUntil(at.runtime.now + 2_000);
          setImmediate(() => order.push('immediate'));
          void Promise.resolve().then(() => order.push('promise'));
          yield* at.runtime.sleepUntil(at.runtime.now + 2_000);
        })(),
      );
      await at.runtime.promiseOf(task);
      expect(order).toEqual(['promise', 'immediate']);
    } finally {
      at.close();
    }
  });

  test('never sleeps short, and costs next to nothing while it waits', async () => {
    const at = bench(backend);
    try {
      at.runtime.attach();
      for (const micros of [1, 100, 999, 1_000, 5_001, 20_000]) {
        const start = at.runtime.now;
        await at.runtime.sleep(micros);
        expect(at.runtime.now - start).toBeGreaterThanOrEqual(micros);
      }
      const before = process.cpuUsage();
      await at.runtime.sleep(1_000_000);
      const { user, system } = process.cpuUsage(before);
      expect(user + system).toBeLessThan(200_000); // of a second; a spinning wait would cost all of it
    } finally {
      at.close();
    }
  });
});

describe.skipIf(blocking === null)(`owning the thread${unlessBlocking}`, () => {
  test('echoes, ticks and settles promises until it is stopped', async () => {
    const at = bench(blocking!);
    try {
      const socket = await at.open();
      const client = await at.open();
      const serving = at.runtime.spawn(echoing(at.runtime, socket));
      const asked = at.runtime.promiseOf(at.runtime.spawn(asking(at.runtime, client, socket.localAddress, 200)));
      const game = async (): Promise<number> => {
        for (let i = 0; i < 20; i++) await at.runtime.sleep(1_000);
        const echoes = await asked;
        at.runtime.stop();
        return echoes;
      };
      const played = game();
      await at.runtime.run();
      expect(await played).toBe(200);
      expect(serving.wasCancelled).toBe(true);
    } finally {
      at.close();
    }
  });

  test('spins without missing a datagram or a deadline', async () => {
    const at = bench(blocking!);
    try {
      const socket = await at.open();
      const client = await at.open();
      at.runtime.spawn(echoing(at.runtime, socket));
      const task = at.runtime.spawn(asking(at.runtime, client, socket.localAddress, 200));
      await at.runtime.run({ spinMicros: 50, until: () => task.done.settled });
      expect(task.done.take()).toBe(200);
    } finally {
      at.close();
    }
  });

  test('lets timers, files and http of Node through again and again', async () => {
    const at = bench(blocking!);
    try {
      let fired = 0;
      setTimeout(() => fired++, 1);
      let read = 0;
      void readFile(import.meta.filename).then((bytes) => {
        read = bytes.length;
      });
      await at.runtime.run({ until: () => fired > 0 && read > 0 });
      expect(read).toBeGreaterThan(0);
    } finally {
      at.close();
    }
  });

  test('costs next to nothing while nothing happens', async () => {
    const at = bench(blocking!);
    try {
      const start = at.runtime.now;
      const before = process.cpuUsage();
      await at.runtime.run({ until: () => at.runtime.now - start > 1_000_000 });
      const { user, system } = process.cpuUsage(before);
      expect(user + system).toBeLessThan(200_000);
    } finally {
      at.close();
    }
  });
});
