/** Several workers on one port, over the built code and real sockets: Node 20 runs no TypeScript, so `npm run build` first. */

import { existsSync, readdirSync } from 'node:fs';
import { afterEach, describe, expect, test } from 'vitest';
import type * as Engine from '../../../engine/index.ts';
import { library } from '../../../sys/ffi/library.ts';
import type { channels as Channels, GroupGameArgs, Saying } from './fixtures/game.ts';
import { Nat } from './nat.ts';

const dist = new URL('../../../dist/', import.meta.url);
const native = process.platform === 'linux' && library() !== null;
const built = existsSync(new URL('engine/workers/group-boot.js', dist));
const unless = !native ? ' (skipped: needs koffi on Linux)' : built ? '' : ' (skipped: run `npm run build` first)';
const GAME = new URL('test/engine/workers/fixtures/game.js', dist);

const engine = async (): Promise<typeof Engine> => import(new URL('engine/index.js', dist).href);
const gameChannels = async (): Promise<typeof Channels> =>
  ((await import(GAME.href)) as { channels: typeof Channels }).channels;

type GameClient = Engine.Client<typeof Channels>;

describe.skipIf(!native || !built)(`a group of workers${unless}`, () => {
  const clients: GameClient[] = [];
  const nats: Nat[] = [];
  let group: Engine.WorkerGroup;
  let privateKey: Uint8Array;

  const startGroup = async (
    workers: number,
    options: Partial<Engine.WorkerGroupOptions> = {},
    args: Partial<GroupGameArgs> = {},
  ): Promise<void> => {
    const { startWorkers, generatePrivateKey } = await engine();
    privateKey = generatePrivateKey();
    const gameArgs: GroupGameArgs = { port: 0, privateKey, freshKey: true, ...args };
    group = await startWorkers({ workers, moduleUrl: GAME, port: 0, args: gameArgs, ...options });
  };
  const tokenFor = async (clientId: number, port = group.port): Promise<Uint8Array> =>
    (await engine()).mintToken({ privateKey, clientId, addresses: [`127.0.0.1:${group.port}`, `127.0.0.1:${port}`] });
  const connect = async (clientId: number, reconnect = false): Promise<GameClient> => {
    const { Client } = await engine();
    const client = await Client.connect({
      token: () => tokenFor(clientId),
      channels: await gameChannels(),
      reconnect: reconnect ? { delayMicros: 10_000 } : false,
    });
    clients.push(client);
    return client;
  };
  const say = (client: GameClient, what: Saying['what']): Promise<Saying> =>
    new Promise((resolve) => {
      client.once('message', (_, message) => resolve(message));
      client.send('talk', { what });
    });
  const lost = (): Promise<{ worker: number; error: Error; told: number }> =>
    new Promise((resolve) => group.once('lost', (worker, error, told) => resolve({ worker, error, told })));
  const running = (): Promise<number> => new Promise((resolve) => group.once('running', resolve));
  const ended = (client: GameClient): Promise<string> =>
    new Promise((resolve) => client.once('disconnect', ({ code, text }) => resolve(`${code}: ${text}`)));
  const openDescriptors = (): number => readdirSync('/proc/self/fd').length;

  afterEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.close()));
    for (const nat of nats.splice(0)) nat.close();
    await group?.stop();
  });

  test('spreads clients over its workers, each stays with one, and the report is the sum', async () => {
    await startGroup(3);
    const all = await Promise.all(Array.from({ length: 30 }, (_, i) => connect(i + 1)));
    const byWorker = new Map<string, number>();
    for (const client of all) {
      const first = await say(client, 'count');
      const second = await say(client, 'count');
      expect(second.worker).toBe(first.worker);
      byWorker.set(first.worker!, (byWorker.get(first.worker!) ?? 0) + 1);
    }
    expect([...byWorker.keys()].sort()).toEqual(['worker-0', 'worker-1', 'worker-2']);
    await expect.poll(() => group.report().total.clients).toBe(30);
    for (const { worker, clients: count, state, lost, datagramsIn } of group.report().workers) {
      expect({ count, state, lost }).toEqual({ count: byWorker.get(`worker-${worker}`), state: 'running', lost: 0 });
      expect(datagramsIn).toBeGreaterThan(0);
    }
  });

  test('a client whose address changes stays with its worker, and loses nothing', async () => {
    await startGroup(4);
    const { Client } = await engine();
    const nat = await Nat.open(group.port);
    nats.push(nat);
    const token = await (await engine()).mintToken({
      privateKey,
      clientId: 1,
      addresses: [`127.0.0.1:${nat.port}`, `127.0.0.1:${group.port}`],
    });
    const client = await Client.connect({ token, channels: await gameChannels() });
    clients.push(client);
    const { worker } = await say(client, 'count');
    for (let move = 1; move <= 6; move++) {
      await nat.move();
      const answer = await say(client, 'count');
      expect(answer).toMatchObject({ worker, count: move + 1 });
    }
    expect(client.state).toBe('connected');
  });

  test('a worker that throws is replaced: its clients are told and come back, the others notice nothing', async () => {
    await startGroup(2);
    const all = await Promise.all(Array.from({ length: 12 }, (_, i) => connect(i + 1, true)));
    const homes = await Promise.all(all.map(async (client) => (await say(client, 'count')).worker!));
    const victim = all.find((_, i) => homes[i] === 'worker-1')!;
    const reconnected = all.map((client) => {
      const state = { begun: 0, reason: '' };
      client.on('reconnecting', (attempt, { code, text }) => {
        state.begun = attempt;
        state.reason ||= `${code}: ${text}`;
      });
      return state;
    });
    const before = openDescriptors();
    const gone = lost();
    const back = Promise.all(
      all
        .filter((_, i) => homes[i] === 'worker-1')
        .map((client) => new Promise((resolve) => client.once('reconnect', resolve as () => void))),
    );
    victim.send('talk', { what: 'throw' });
    const { worker, error, told } = await gone;
    expect({ worker, message: error.message }).toEqual({ worker: 1, message: 'the game broke' });
    expect(told).toBe(homes.filter((home) => home === 'worker-1').length);
    await back;
    for (const [i, client] of all.entries()) {
      const { count, worker: home } = await say(client, 'count');
      if (homes[i] === 'worker-1') expect(reconnected[i]!.reason).toBe('shutdown: the worker was lost');
      else {
        expect(reconnected[i]!.begun).toBe(0);
        expect({ home, old: count! > 1 }).toEqual({ home: 'worker-0', old: true });
      }
    }
    expect(group.report().workers.map((report) => report.lost)).toEqual([0, 1]);
    // What the lost thread had open is closed again, and its successor has opened as much.
    expect(openDescriptors()).toBeLessThanOrEqual(before + 2);
  });

  test('a worker that hangs is noticed, ended and replaced', async () => {
    await startGroup(2, { hangMicros: 400_000 });
    const all = await Promise.all(Array.from({ length: 8 }, (_, i) => connect(i + 1)));
    const homes = await Promise.all(all.map(async (client) => (await say(client, 'who')).worker!));
    const victims = all.filter((_, i) => homes[i] === homes[0]);
    const gone = lost();
    const ends = victims.map(ended);
    victims[0]!.send('talk', { what: 'hang' });
    const { worker, error, told } = await gone;
    const restarted = running();
    expect(`worker-${worker}`).toBe(homes[0]);
    expect(error.message).toMatch(/^it hung: nothing was heard for \d/);
    expect(told).toBe(victims.length);
    expect(new Set(await Promise.all(ends))).toEqual(new Set(['shutdown: the worker was lost']));
    expect(await restarted).toBe(worker);
    for (const [i, client] of all.entries()) {
      if (homes[i] !== homes[0]) expect((await say(client, 'who')).worker).toBe(homes[i]);
    }
  });

  test('a successor lets in who has a token from before it began, and nobody with one that was spent', async () => {
    await startGroup(1, {}, { freshKey: true });
    const { Client } = await engine();
    const spent = await tokenFor(1);
    const unused = await tokenFor(2);
    const first = await Client.connect({ token: spent, channels: await gameChannels() });
    clients.push(first);
    const restarted = lost().then(running);
    first.send('talk', { what: 'throw' });
    await restarted;
    const second = await Client.connect({ token: unused, channels: await gameChannels() });
    clients.push(second);
    expect((await say(second, 'who')).worker).toBe('worker-0');
    const short = await (await engine()).mintToken({
      privateKey,
      clientId: 3,
      addresses: [`127.0.0.1:${group.port}`],
      timeoutSeconds: 1,
    });
    const third = await Client.connect({ token: short, channels: await gameChannels() });
    await third.close();
    await expect(Client.connect({ token: short, channels: await gameChannels() })).rejects.toThrow();
  });

  test('when it stops its clients hear why, and nothing stays open', async () => {
    const before = openDescriptors();
    await startGroup(2);
    const all = await Promise.all(Array.from({ length: 6 }, (_, i) => connect(i + 1)));
    const ends = all.map(ended);
    await group.stop('good night');
    expect(await Promise.all(ends)).toEqual(all.map(() => 'shutdown: good night'));
    await Promise.all(all.map((client) => client.close()));
    await expect.poll(openDescriptors).toBeLessThanOrEqual(before);
  });

  test('does not start when one of its games cannot, and says why', async () => {
    const before = openDescriptors();
    await expect(startGroup(3, {}, { broken: 'worker-2' })).rejects.toThrow('no map to load');
    await expect.poll(openDescriptors).toBeLessThanOrEqual(before);
  });

  test('does not wait for a game that never starts where another one cannot', async () => {
    const before = openDescriptors();
    const start = startGroup(3, {}, { broken: 'worker-2', hanging: 'worker-0' });
    await expect(start).rejects.toThrow('no map to load');
    await expect.poll(openDescriptors).toBeLessThanOrEqual(before);
  });

  test('stops though a worker hangs, and tells the clients of all', async () => {
    const before = openDescriptors();
    await startGroup(2, { hangMicros: 500_000 });
    const all = await Promise.all(Array.from({ length: 6 }, (_, i) => connect(i + 1)));
    const ends = all.map(ended);
    all[0]!.send('talk', { what: 'hang' });
    await new Promise((resolve) => setTimeout(resolve, 100));
    await group.stop('good night');
    expect(await Promise.all(ends)).toEqual(all.map(() => 'shutdown: good night'));
    await Promise.all(all.map((client) => client.close()));
    await expect.poll(openDescriptors).toBeLessThanOrEqual(before);
  });

  test('stops while a lost worker is being replaced', async () => {
    await startGroup(2);
    const client = await connect(1);
    const gone = lost();
    client.send('talk', { what: 'throw' });
    await gone;
    await group.stop();
    expect(group.report().workers.map(({ state }) => state)).toEqual(['stopped', 'stopped']);
  });

  test.each([
    [{ workers: 0 }, /workers/],
    [{ workers: 257 }, /workers/],
    [{ hangMicros: 5 }, /hangMicros/],
    [{ spentTokensMax: 0 }, /spentTokensMax/],
    [{ moduleUrl: './game.js' as unknown as URL }, /moduleUrl.*import\.meta\.url/],
  ])('refuses %o', async (options, message) => {
    await expect(startGroup(2, options)).rejects.toThrow(message);
  });
});
