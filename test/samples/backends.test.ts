/**
 * The arena on every backend, by one option: a server at one end of a veth pair, a player at the other, real processes. What
 * is asked for is what is in use, and is said; where it cannot be had the game goes on over UDP, and that is said.
 */

import { existsSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { ip, whyNoXdp } from '../sys/xdp/veth.ts';
import { builtFile, type Inside, NamespacedArena, sees } from './namespaced-arena.ts';

const why =
  whyNoXdp() || (existsSync(builtFile('test/samples/fixtures/arena-player.js')) ? '' : 'run `npm run build` first');
/** Of the far end, for those who flood. */
const LOUD = '198.51.100.77';
/** Most is dropped, also where a busy machine takes ten seconds to send it. */
const FLOOD = 5000;
const TEST_MILLIS = 40_000;

/** What the arena prints at its end. */
interface Figures {
  readonly backend: string;
  readonly inputsReceived: number;
  readonly dropped: Readonly<Record<string, number>>;
}

async function figuresOf(server: Inside): Promise<Figures> {
  expect(await server.stop('SIGTERM')).toBe(0);
  return JSON.parse(server.out) as Figures;
}

describe.skipIf(why !== '')(`the arena over a veth${why === '' ? '' : ` (${why})`}`, () => {
  let arena: NamespacedArena;
  afterEach(() => arena.close());

  it.each([
    ['udp', /^way to the network: udp$/],
    ['packet', /^way to the network: packet \(received by UDP, sent as frames\)$/],
    ['xdp', /^way to the network: xdp \(near, native, copied, \d+ queues?\)$/],
    ['dgram', /^way to the network: dgram$/],
    ['auto', /^way to the network: udp$/],
  ])(
    'plays with --sys %s, which is in use',
    async (sys, said) => {
      arena = new NamespacedArena(`arena-${sys}`);
      const { server, way } = await arena.serve(['--bots', '1', '--sys', sys]);
      expect(way).toMatch(said);
      const player = arena.play();
      const first = await sees(player, 0);
      expect(first.players).toBe(2);
      await sees(player, first.tick + 60);
      const { backend, inputsReceived } = await figuresOf(server);
      expect(backend).toBe(sys === 'auto' ? 'udp' : sys);
      expect(inputsReceived).toBeGreaterThan(60);
      expect(server.err).not.toContain('TickwireWarning');
    },
    TEST_MILLIS,
  );

  it(
    'drops a flood in the kernel with --admission, counts it and shows it, while an honest player plays on',
    async () => {
      arena = new NamespacedArena('arena-flood');
      const options = ['--sys', 'xdp', '--interface', 'near', '--admission', '300', '--burst', '100'];
      const { server, way } = await arena.serve(['--bots', '0', ...options]);
      expect(way).toContain('(near, native, copied, 1 queue, each source 300 datagrams a second)');
      const player = arena.play();
      const { tick } = await sees(player, 0);
      await arena.flood(LOUD, FLOOD);
      await sees(player, tick + 90);
      await server.until(/\d+ not admitted/);
      const { dropped } = await figuresOf(server);
      expect(dropped.notAdmitted).toBeGreaterThan(FLOOD / 10);
      expect(dropped.notAdmitted).toBeLessThanOrEqual(FLOOD - 100);
      // What the filter let through reached the socket, and was nothing there.
      const others = Object.values(dropped).reduce((sum, count) => sum + count, 0) - dropped.notAdmitted!;
      expect(others).toBeGreaterThanOrEqual(100);
    },
    TEST_MILLIS,
  );

  it(
    'puts the same filter before workers, whose sockets are the kernel’s, and says so',
    async () => {
      arena = new NamespacedArena('arena-workers');
      const options = ['--sys', 'xdp', '--interface', 'near', '--admission', '300', '--burst', '100'];
      const { server, way } = await arena.serve(['--bots', '0', '--workers', '2', ...options]);
      expect(way).toContain(
        'udp (behind an admission filter: near, native, each source 300 datagrams a second); AF_XDP',
      );
      expect(server.err).toContain('TickwireWarning');
      const player = arena.play();
      const { tick } = await sees(player, 0);
      await arena.flood(LOUD, FLOOD);
      await sees(player, tick + 90);
      expect(await server.stop('SIGTERM')).toBe(0);
      const { notAdmitted } = JSON.parse(server.out) as { notAdmitted: number };
      expect(notAdmitted).toBeGreaterThan(FLOOD / 10);
      expect(notAdmitted).toBeLessThanOrEqual(FLOOD - 100);
    },
    TEST_MILLIS,
  );

  it(
    'goes over UDP when another program is on its interface already, and on when that ends',
    async () => {
      arena = new NamespacedArena('arena-busy');
      const first = await arena.serve(['--bots', '0', '--sys', 'xdp']);
      const second = await arena.serve(['--bots', '0', '--sys', 'xdp', '--token-port', '0']);
      expect(second.way).toMatch(/^way to the network: udp; AF_XDP cannot be had: .*EBUSY.*has an XDP program already/);
      expect(second.server.err).toMatch(/TickwireWarning: the server on .* goes by the kernel's UDP: .*EBUSY/);
      const player = arena.play();
      const { tick } = await sees(player, 0);
      await first.server.stop('SIGTERM');
      await sees(player, tick + 30);
      expect((await figuresOf(second.server)).backend).toBe('udp');
    },
    TEST_MILLIS,
  );

  it.each(['packet', 'xdp'])(
    'plays over UDP with --sys %s and no rights, and says how to get them',
    async (sys) => {
      arena = new NamespacedArena(`arena-rights-${sys}`);
      const without = ['setpriv', '--bounding-set', '-all', '--inh-caps', '-all'];
      const { server, way } = await arena.serve(['--bots', '1', '--sys', sys], without);
      expect(way).toMatch(/^way to the network: udp; .*EPERM.*setcap/);
      const player = arena.play();
      await sees(player, 30);
      expect((await figuresOf(server)).backend).toBe('udp');
    },
    TEST_MILLIS,
  );

  it(
    'says when its interface goes down while it plays, and goes on when it is up again',
    async () => {
      arena = new NamespacedArena('arena-down');
      const { server } = await arena.serve(['--bots', '0', '--sys', 'xdp']);
      const player = arena.play();
      const { tick } = await sees(player, 0);
      ip('-n', arena.pair.near, 'link', 'set', 'near', 'down');
      await server.until(/way to the network: udp; near (?:is down|has gone)/);
      ip('-n', arena.pair.near, 'link', 'set', 'near', 'up');
      arena.pair.introduce();
      await sees(player, tick + 60);
      expect((await figuresOf(server)).backend).toMatch(/^(?:xdp|udp)$/);
    },
    TEST_MILLIS,
  );

  it(
    'says what is wrong with an option, and which',
    async () => {
      arena = new NamespacedArena('arena-options');
      for (const [words, said] of [
        [['--sys', 'udp', '--interface', 'near'], "option 'sys.interface': udp has no such option: give backend 'xdp'"],
        [['--sys', 'xdp', '--admission', '0'], "option 'sys.admission.datagramsPerSecond': 0 is not a whole number"],
        [['--sys', 'xdp', '--burst', '9'], "option 'sys.admission.datagramsPerSecond': undefined is not"],
        [['--sys', 'xdp', '--mode', 'warp'], 'option \'sys.mode\': "warp" is no mode: it may be auto, native, generic'],
      ] as const) {
        const refused = arena.serve(words);
        await expect(refused).rejects.toThrow(said);
        await expect(refused).rejects.toThrow('ended with 2');
      }
    },
    TEST_MILLIS,
  );
});
