/** Peers that go from one worker to another, over the built code and real sockets: `npm run build` first. */

import { existsSync } from 'node:fs';
import { afterEach, describe, expect, test } from 'vitest';
import { reliableOrdered } from '../../../engine/channels.ts';
import { json } from '../../../engine/codec.ts';
import type * as Engine from '../../../engine/index.ts';
import { library } from '../../../sys/ffi/library.ts';
import { inPair } from '../small-world.ts';
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

describe.skipIf(!native || !built)(`peers that are handed to other workers${unless}`, () => {
  const clients: GameClient[] = [];
  const nats: Nat[] = [];
  let group: Engine.WorkerGroup;
  let privateKey: Uint8Array;

  const startGroup = async (workers: number, options: Partial<Engine.WorkerGroupOptions> = {}): Promise<void> => {
    const { startWorkers, generatePrivateKey } = await engine();
    privateKey = generatePrivateKey();
    const args: GroupGameArgs = { port: 0, privateKey, freshKey: true };
    group = await startWorkers({ workers, moduleUrl: GAME, port: 0, args, ...options });
  };
  const connect = async (clientId: number, reconnect = false, port = group.port): Promise<GameClient> => {
    const { Client, mintToken } = await engine();
    const userData = new TextEncoder().encode(`hat ${clientId}`);
    const addresses = [`127.0.0.1:${port}`, `127.0.0.1:${group.port}`];
    const client = await Client.connect({
      token: () => mintToken({ privateKey, clientId, addresses, userData }),
      channels: await gameChannels(),
      reconnect: reconnect ? { delayMicros: 10_000 } : false,
    });
    clients.push(client);
    return client;
  };
  const next = (client: GameClient): Promise<Saying> =>
    new Promise((resolve) => client.once('message', (_, message) => resolve(message)));
  const say = (client: GameClient, what: Saying['what'], to?: number): Promise<Saying> => {
    const answer = next(client);
    client.send('talk', { what, ...(to === undefined ? {} : { to }) });
    return answer;
  };
  const numberOf = ({ worker }: Saying): number => Number(worker!.split('-')[1]);

  afterEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.close()));
    for (const nat of nats.splice(0)) nat.close();
    await group?.stop();
  });

  test('go with what their game gives them, there and back, and their clients notice nothing', async () => {
    await startGroup(3);
    const client = await connect(7);
    const ends: string[] = [];
    client.on('disconnect', ({ code }) => ends.push(code));
    let here = numberOf(await say(client, 'who'));
    for (let i = 1; i <= 6; i++) {
      const to = (here + 1 + (i % 2)) % 3;
      expect(await say(client, 'hand', to)).toEqual({
        what: 'handed',
        worker: `worker-${to}`,
        to: here,
        baggage: { from: here, hat: 'h'.charCodeAt(0), count: expect.any(Number) },
        hat: 'hat 7',
      });
      expect(numberOf(await say(client, 'who'))).toBe(to);
      here = to;
    }
    await expect.poll(() => group.report().workers[here]!.clients).toBe(1);
    await expect.poll(() => group.report().total.clients).toBe(1);
    expect(ends).toEqual([]);
    expect(client.state).toBe('connected');
    await client.close('bye');
    await expect.poll(() => group.report().total.clients).toBe(0);
  });

  test('lose no message while they say one after the other, and none comes twice', async () => {
    await startGroup(2);
    const all = await Promise.all(Array.from({ length: 8 }, (_, i) => connect(i + 1)));
    const tallies = await Promise.all(
      all.map(async (client) => {
        let here = numberOf(await say(client, 'who'));
        const answers: Saying[] = [];
        client.on('message', (_, message) => answers.push(message));
        const count = (what: Saying['what']): number => answers.filter((one) => one.what === what).length;
        let asked = 0;
        for (let round = 1; round <= 6; round++) {
          here = 1 - here;
          client.send('talk', { what: 'hand', to: here });
          // It talks all the while: before, on the way, and behind.
          for (let after = 0; after < 10; after += count('handed') === round ? 1 : 0) {
            client.send('talk', { what: 'who' });
            asked++;
            await new Promise((resolve) => setTimeout(resolve, 2));
          }
        }
        await expect.poll(() => count('answer'), { timeout: 15_000 }).toBe(asked);
        return { hands: count('handed'), here, last: answers.at(-1)! };
      }),
    );
    for (const { hands, here, last } of tallies) {
      expect(hands).toBe(6);
      expect(numberOf(last)).toBe(here);
    }
    for (const client of all) expect(client.state).toBe('connected');
  }, 30_000);

  test('are found from another address, whichever worker the kernel leads them to', async () => {
    await startGroup(3);
    const nat = await Nat.open(group.port);
    nats.push(nat);
    const client = await connect(1, false, nat.port);
    const here = numberOf(await say(client, 'who'));
    const to = (here + 1) % 3;
    await say(client, 'hand', to);
    for (let move = 0; move < 5; move++) {
      await nat.move();
      expect(numberOf(await say(client, 'who'))).toBe(to);
    }
  });

  test('stay where the other worker does not run, is no other, or is lost on the way', async () => {
    await startGroup(2, { hangMicros: 400_000 });
    const all = await Promise.all(Array.from({ length: 12 }, (_, i) => connect(i + 1)));
    const homes = await Promise.all(all.map(async (client) => numberOf(await say(client, 'who'))));
    const client = all[homes.indexOf(0)]!;
    const other = all[homes.indexOf(1)]!;
    for (const to of [0, 2, -1]) {
      const { what, why } = await say(client, 'hand', to);
      expect(what).toBe('refused');
      expect(why).toMatch(/is not another worker: give 0 to 1, but not 0/);
    }
    // It hangs: the peer is under way until the group has seen that.
    other.send('talk', { what: 'hang' });
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(await say(client, 'hand', 1)).toMatchObject({ what: 'handed', worker: 'worker-0', to: 1 }); // it came back
    expect(numberOf(await say(client, 'who'))).toBe(0);
    const second = (): Engine.WorkerGroupReport['workers'][number] => group.report().workers[1]!;
    await expect.poll(() => `${second().lost} ${second().state}`, { timeout: 15_000 }).toBe('1 running');
    expect(await say(client, 'hand', 1)).toMatchObject({ what: 'handed', worker: 'worker-1' });
  }, 30_000);

  test('are told to come back when the worker that has them is lost', async () => {
    await startGroup(2);
    const client = await connect(1, true);
    const here = numberOf(await say(client, 'who'));
    await say(client, 'hand', 1 - here);
    const reasons: string[] = [];
    client.on('reconnecting', (_, { code, text }) => reasons.push(`${code}: ${text}`));
    const back = new Promise<void>((resolve) => client.once('reconnect', () => resolve()));
    client.send('talk', { what: 'throw' });
    await back;
    expect(reasons[0]).toBe('shutdown: the worker was lost');
    expect(numberOf(await say(client, 'who'))).toBe(here); // by the hash of its address, as at first
  });
});

test('a server that is alone says so', async () => {
  await inPair({ talk: reliableOrdered(json<string>()) }, async ({ peer, server }) => {
    expect(server.worker).toBeNull();
    await expect(peer.handTo(1)).rejects.toThrow(/this server is alone/);
    expect(peer.send('talk', 'still here')).toBe('queued');
  });
});
