import { describe, expect, test } from 'vitest';
import { chooseAead } from '../../../sys/aead/choose.ts';
import type { Aead, Micros } from '../../../sys/api.ts';
import { CLIENT_CONNECTED } from '../../../transport/netcode/client-states.ts';
import { OpenBudget } from '../../../transport/netcode/open-budget.ts';
import { at, ClientStation, type Datagram, mint, ServerStation, seededRng, World } from './world.ts';

const second = 1_000_000;

/** Requests that look right up to the token, each from an address of its own. */
class Flood {
  readonly #template: Uint8Array;
  readonly #rng = seededRng(99);
  readonly #target: Uint8Array;

  constructor(world: World, target: Uint8Array) {
    const client = new ClientStation(at('10.9.9.9', 9));
    client.client.connect(mint(world, {}, 1234), world.now);
    this.#template = client.turn(world.now)[0]!.bytes;
    this.#target = target;
  }

  next(sentAt: Micros): Datagram {
    const bytes = this.#template.slice();
    for (let i = 1062; i < 1078; i++) bytes[i] = this.#rng.u32();
    const port = 1 + (this.#rng.u32() % 65535);
    const host = `${1 + (this.#rng.u32() % 200)}.${this.#rng.u32() & 255}.${this.#rng.u32() & 255}.${this.#rng.u32() & 255}`;
    return { from: at(host, port), to: this.#target, bytes, sentAt };
  }
}

describe('a flood of 20,000 forged requests a second from random sources', () => {
  test.each([
    ['a server that can open 4,000 tokens a second', 4_000],
    ['a server with the budget of node:crypto', 8_000],
  ])('lets 95 %% of honest clients in within 3 s, on %s', (_, tokenOpensPerSecondMax) => {
    const world = new World();
    world.now += 2 * second;
    const server = new ServerStation({ maxClients: 256, tokenOpensPerSecondMax });
    const shared = chooseAead(64, 2048);
    const clients = Array.from({ length: 100 }, (_, i) => {
      const client = new ClientStation(at('10.0.1.1', 2000 + i), {}, seededRng(i), shared);
      client.client.connect(mint(world, { clientId: BigInt(i + 1), timeoutSeconds: 10 }, i), world.now);
      return client;
    });
    const flood = new Flood(world, server.address);
    const perTurn = Math.round((20_000 * world.turnMicros) / second);
    const end = world.now + 3 * second;
    let waiting: Datagram[] = [];
    while (world.now < end) {
      world.now += world.turnMicros;
      // Forged requests come first in every turn: the worst place for the honest ones.
      const arriving = Array.from({ length: perTurn }, () => flood.next(world.now)).concat(waiting);
      server.receive(arriving, world.now, world.unixSeconds);
      waiting = [];
      const answers = server.turn(world.now);
      for (const client of clients) {
        client.receive(
          answers.filter((d) => Buffer.from(d.to).equals(Buffer.from(client.address))),
          world.now,
          world.unixSeconds,
        );
        waiting.push(...client.turn(world.now));
      }
    }
    const connected = clients.filter((c) => c.client.state === CLIENT_CONNECTED).length;
    expect(connected).toBeGreaterThanOrEqual(95);
    // The budget holds: three seconds of opens and what may come at once.
    expect(server.server.tokenOpens).toBeLessThanOrEqual(3.2 * tokenOpensPerSecondMax);
    expect(server.server.drops.requestBudget).toBeGreaterThan(30_000);
  });
});

describe('OpenBudget', () => {
  const provider = (name: string) => ({ name }) as Aead;

  test('opens everything while requests are fewer than the rate', () => {
    const budget = new OpenBudget(1000, provider('node-crypto'), seededRng(1));
    for (let i = 0; i < 2000; i++) expect(budget.take(i * 1250)).toBe(true);
  });

  test.each([2, 10, 100])('opens its rate, evenly over the place in a turn, at %i times the rate', (excess) => {
    const rate = 1000;
    const budget = new OpenBudget(rate, provider('node-crypto'), seededRng(7));
    const perTurn = (rate * excess) / 60;
    const thirds = [0, 0, 0];
    let opened = 0;
    const turns = 1200;
    for (let turn = 0; turn < turns; turn++) {
      for (let i = 0; i < perTurn; i++) {
        if (!budget.take(turn * 16_667)) continue;
        opened++;
        thirds[Math.floor((i * 3) / perTurn)]!++;
      }
    }
    expect(opened / (turns / 60)).toBeGreaterThan(rate * 0.75);
    expect(opened / (turns / 60)).toBeLessThan(rate * 1.1);
    expect(thirds[2]! / thirds[0]!).toBeGreaterThan(0.8);
  });

  test('takes its default from the provider, the slow one the least', () => {
    const rate = (name: string) => new OpenBudget(undefined, provider(name), seededRng(1)).perSecond;
    expect(rate('openssl-primitives')).toBeGreaterThan(rate('openssl-evp'));
    expect(rate('openssl-evp')).toBeGreaterThan(rate('node-crypto'));
    expect(rate('another')).toBe(rate('node-crypto'));
  });

  test('a second private key counts as a second open', () => {
    const budget = new OpenBudget(100, provider('x'), seededRng(1));
    let opened = 0;
    for (let i = 0; i < 100; i++) {
      if (!budget.take(1)) continue;
      budget.charge();
      opened++;
    }
    expect(opened).toBe(5); // ten may come at once
  });
});
