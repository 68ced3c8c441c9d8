/** The sniffer on real interfaces: loopback and a veth pair. */

import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { FileSniffer } from '../../../engine/inspect/sniff/file-sniffer.ts';
import { LiveSniffer } from '../../../engine/inspect/sniff/live-sniffer.ts';
import { watchReport } from '../../../engine/inspect/sniff/sniff-report.ts';
import { addressOf, type DatagramSocket, formatAddress } from '../../../sys/api.ts';
import { SystemClock } from '../../../sys/clock.ts';
import { NativeArena } from '../../../sys/ffi/arena.ts';
import { library } from '../../../sys/ffi/library.ts';
import { openSys } from '../../../sys/index.ts';
import { linuxCalls } from '../../../sys/linux/calls.ts';
import { AF_PACKET, SOCK_RAW_NONBLOCK_CLOEXEC, SockaddrLl } from '../../../sys/packet-ring/abi.ts';
import { ringCalls } from '../../../sys/packet-ring/calls.ts';
import { PacketRing } from '../../../sys/packet-ring/packet-ring.ts';
import { heapBytesOf } from '../../sys/collect-garbage.ts';
import { FAR, NamespacePair, NEAR, whyNoNamespaces } from '../../sys/linux/namespaces.ts';
import { append } from '../../sys/linux/sockets.ts';

/** Why no ring can be opened here; '' if it can. */
function whyNoRing(): string {
  if (process.platform !== 'linux' || library() === null) return 'needs koffi on Linux';
  try {
    new PacketRing('lo').close();
    return '';
  } catch (error) {
    return `needs CAP_NET_RAW: ${(error as Error).message}`;
  }
}

/** Why no small disk can be made here; '' if it can. */
function whyNoDisk(): string {
  const disk = mkdtempSync(join(tmpdir(), 'tickwire-disk-'));
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'none', disk]).status === 0;
  if (mounted) execFileSync('umount', [disk]);
  rmSync(disk, { recursive: true });
  return mounted ? '' : 'needs the right to mount';
}

const noRing = whyNoRing();
const noNamespaces = noRing === '' ? whyNoNamespaces() : noRing;
const noDisk = whyNoDisk();
const noTshark = spawnSync('tshark', ['--version']).status === 0 ? '' : 'tshark is not installed';
const because = (reason: string): string => (reason === '' ? '' : ` (skipped: ${reason})`);

const BURST = 2000;
/** Longest wait for a block; the ring hands one over after 10 ms. */
const PATIENCE_MICROS = 100_000;

const folder = mkdtempSync(join(tmpdir(), 'tickwire-sniff-'));
afterAll(() => rmSync(folder, { recursive: true }));

function sniffer(interfaceName: string, filter: string, write: string | null = null): LiveSniffer {
  return new LiveSniffer({ interfaceName, filter, write, seed: 1, clock: new SystemClock() });
}

/** Sends datagrams of 1 to 100 bytes, in batches that the receiver need not read. */
function send(socket: DatagramSocket, to: Uint8Array, count: number): void {
  for (let i = 0; i < count; i++) {
    append(socket, to, 1 + (i % 100), i);
    if (socket.tx.count === 50) socket.flush();
  }
  socket.flush();
}

/** Sends a frame as it is, so many times. */
function sendFrame(interfaceName: string, frame: Uint8Array, times: number): void {
  const calls = linuxCalls();
  const arena = NativeArena.map(256);
  arena.bytes.set(frame, 64);
  const fd = calls.socket(AF_PACKET, SOCK_RAW_NONBLOCK_CLOEXEC, 0);
  arena.view.setUint16(SockaddrLl.family, AF_PACKET, true);
  arena.view.setInt32(SockaddrLl.interface, ringCalls().if_nametoindex(interfaceName), true);
  expect(calls.bind(fd, arena.address, SockaddrLl.SIZE)).toBe(0);
  for (let i = 0; i < times; i++) expect(calls.write(fd, arena.address + 64, frame.length)).toBe(frame.length);
  calls.close(fd);
}

/** Until nothing comes for a while. */
function takeAll(live: LiveSniffer): void {
  while (live.waitAndTurn(PATIENCE_MICROS) > 0) {}
}

describe.skipIf(noRing !== '')(`the sniffer on loopback${because(noRing)}`, () => {
  it('sees every packet of a burst once, with its addresses, and nothing that the filter drops', async () => {
    const sys = openSys({ backend: 'udp' });
    const a = await sys.openUdp(addressOf('127.0.0.1', 0)!, { gso: false });
    const b = await sys.openUdp(addressOf('127.0.0.1', 0)!, { receiveBufferBytes: 4 << 20 });
    const other = await sys.openUdp(addressOf('127.0.0.1', 0)!, { gso: false });
    const live = sniffer('lo', `udp port ${a.localAddress[16]! + 256 * a.localAddress[17]!}`);
    send(a, b.localAddress, BURST);
    send(other, b.localAddress, 100);
    takeAll(live);
    send(b, a.localAddress, 300);
    takeAll(live);
    live.close();
    const { frames, malformed, flows } = watchReport(live.watch);
    expect({ frames, malformed }).toEqual({ frames: BURST + 300, malformed: 0 });
    expect(live.counts()).toMatchObject({ packets: BURST + 300, drops: 0 });
    expect(flows).toHaveLength(1);
    expect(flows[0]).toMatchObject({
      protocol: 'udp',
      from: formatAddress(a.localAddress),
      to: formatAddress(b.localAddress),
      forward: { packets: BURST, bytes: (BURST / 100) * 5050 + BURST * 42 },
      back: { packets: 300, bytes: 3 * 5050 + 300 * 42 },
    });
    for (const socket of [a, b, other]) socket.close();
    sys.close();
  });

  it.each([
    ['127.0.0.1', 42],
    ['::1', 62],
  ])('shows datagrams that the kernel has joined one by one, in the file too (%s)', async (host, headerBytes) => {
    const sys = openSys({ backend: 'udp' });
    const a = await sys.openUdp(addressOf(host, 0)!);
    const file = join(folder, `joined-${headerBytes}.pcapng`);
    const live = sniffer('lo', `udp port ${a.localAddress[16]! + 256 * a.localAddress[17]!}`, file);
    const sizes = [300, 300, 300, 300, 120]; // one send
    for (const [i, size] of sizes.entries()) append(a, a.localAddress, size, i + 1);
    a.flush();
    takeAll(live);
    live.close();
    const [flow] = watchReport(live.watch).flows;
    expect(flow!.forward).toMatchObject({ packets: 5, bytes: 1320 + 5 * headerBytes });
    expect(watchReport(live.watch).malformed).toBe(0);
    expect(live.counts().packets).toBe(1);
    const again = new FileSniffer({ read: file, filter: '', write: null, seed: 2 });
    while (again.advance(100)) {}
    again.close();
    expect(watchReport(again.watch)).toEqual(watchReport(live.watch));
    if (noTshark === '') {
      const words = ['-r', file, '-o', 'udp.check_checksum:TRUE', '-o', 'ip.check_checksum:TRUE', '-T', 'fields'];
      const fields = ['udp.length', 'udp.checksum.status', 'data'].flatMap((field) => ['-e', field]);
      const text = execFileSync('tshark', [...words, ...fields], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      });
      const rows = sizes.map((size, i) => [size + 8, 'Good', `0${i + 1}`.repeat(size)]);
      const statuses: Record<string, string> = { '1': 'Good', Good: 'Good' };
      expect(
        text
          .trim()
          .split('\n')
          .map((line) => line.split('\t'))
          .map(([length, status, data]) => [Number(length), statuses[status!] ?? status, data]),
      ).toEqual(rows);
    }
    a.close();
    sys.close();
  });

  it('allocates nothing for 50,000 packets from the ring to the tables and to a file', async () => {
    const sys = openSys({ backend: 'udp' });
    const a = await sys.openUdp(addressOf('127.0.0.1', 0)!, { gso: false, receiveBufferBytes: 4 << 20 });
    const b = await sys.openUdp(addressOf('127.0.0.1', 0)!, { gso: false });
    const live = sniffer('lo', `udp port ${a.localAddress[16]! + 256 * a.localAddress[17]!}`, '/dev/null');
    for (let i = 0; i < 50; i++) append(b, a.localAddress, 100, i);
    let sent = 0;
    const exchange = (): void => {
      for (let i = 0; i < 1000; i++) {
        // The slots still hold what was sent last time: only the count has gone down.
        b.tx.count = 50;
        b.flush();
        if (i % 8 === 7) live.turn();
      }
      sent += 50_000;
      while (live.watch.frames < sent) live.waitAndTurn(PATIENCE_MICROS);
    };
    const bytesAPacket: number[] = [];
    for (let round = 0; round < 12 && !(bytesAPacket.at(-1)! < 0.5); round++)
      bytesAPacket.push(heapBytesOf(exchange) / 50_000);
    live.close();
    expect(bytesAPacket.at(-1), `bytes a packet, round by round: ${bytesAPacket}`).toBeLessThan(0.5);
    expect(live.written).toBe(sent);
    expect(live.counts().drops).toBe(0);
    a.close();
    b.close();
    sys.close();
  });

  const notRoot = process.geteuid?.() === 0 ? '' : 'has a capability that seteuid does not take away';
  it.skipIf(notRoot !== '')(`says what is missing where the right is${because(notRoot)}`, () => {
    process.seteuid!(65_534);
    try {
      expect(() => sniffer('lo', '')).toThrow(/EPERM: .*CAP_NET_RAW.*setcap/);
    } finally {
      process.seteuid!(0);
    }
  });

  // In a namespace of its own: other tests open packet sockets at the same time.
  it.skipIf(noNamespaces !== '')(
    `names an interface that is not there, and leaves nothing open${because(noNamespaces)}`,
    () => {
      const open = (): string => execFileSync('ls', [`/proc/${process.pid}/fd`], { encoding: 'utf8' });
      // A socket lives until its ring is unmapped, too: its row goes only then.
      const sockets = (): string => readFileSync('/proc/thread-self/net/packet', 'utf8');
      const pair = new NamespacePair('leaves');
      try {
        pair.inside(pair.near, () => {
          const before = open() + sockets();
          sniffer('lo', '').close();
          expect(() => sniffer('nosuch0', '')).toThrow(/ENODEV: there is no interface nosuch0/);
          expect(() => sniffer('lo', 'udpp')).toThrow(/did you mean/);
          expect(() => sniffer('lo', '', join(folder, 'no', 'such', 'folder'))).toThrow(/ENOENT/);
          expect(open() + sockets()).toBe(before);
        });
      } finally {
        pair.close();
      }
    },
  );

  it.skipIf(noDisk !== '')(`stops at a full disk, and what it wrote before is whole${because(noDisk)}`, async () => {
    const sys = openSys({ backend: 'udp' });
    const a = await sys.openUdp(addressOf('127.0.0.1', 0)!, { gso: false, receiveBufferBytes: 4 << 20 });
    const filter = `udp port ${a.localAddress[16]! + 256 * a.localAddress[17]!}`;
    expect(() => sniffer('lo', filter, '/dev/full')).toThrow(/ENOSPC: \/dev\/full: the disk is full/);
    const disk = mkdtempSync(join(tmpdir(), 'tickwire-disk-'));
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'none', disk]);
    try {
      const file = join(disk, 'full.pcapng');
      const live = sniffer('lo', filter, file);
      const fill = (): void => {
        for (let i = 0; i < 100; i++) {
          send(a, a.localAddress, 100);
          takeAll(live);
        }
      };
      expect(fill).toThrow(/ENOSPC: .*the disk is full.*what was captured before is whole/);
      live.close();
      const again = new FileSniffer({ read: file, filter: '', write: null, seed: 2 });
      while (again.advance(100)) {}
      again.close();
      expect(again.watch.frames).toBe(live.written);
      expect(live.written).toBeGreaterThan(100);
      expect(live.watch.frames).toBeGreaterThan(live.written);
    } finally {
      execFileSync('umount', [disk]);
      rmSync(disk, { recursive: true });
    }
    a.close();
    sys.close();
  });
});

describe.skipIf(noNamespaces !== '')(`the sniffer on a veth pair${because(noNamespaces)}`, () => {
  it(`writes what it sees: read back the flows are the same${because(noTshark)}, and tshark agrees`, async () => {
    const pair = new NamespacePair('sniff');
    try {
      pair.open();
      const file = join(folder, 'veth.pcapng');
      const sys = openSys({ backend: 'udp' });
      const near = await pair.inside(pair.near, () => sys.openUdp(addressOf(NEAR, 47001)!, { gso: false }));
      const far = await pair.inside(pair.far, () =>
        sys.openUdp(addressOf(FAR, 47002)!, { gso: false, receiveBufferBytes: 4 << 20 }),
      );
      const live = pair.inside(pair.far, () => sniffer('far', 'udp port 47002', file));
      send(near, far.localAddress, BURST);
      takeAll(live);
      live.close();
      const seen = watchReport(live.watch);
      expect(seen).toMatchObject({ frames: BURST, malformed: 0, flowCount: 1 });
      expect(seen.flows[0]).toMatchObject({ from: `${NEAR}:47001`, to: `${FAR}:47002`, forward: { packets: BURST } });
      expect(live.written).toBe(BURST);

      const again = new FileSniffer({ read: file, filter: '', write: null, seed: 2 });
      while (again.advance(100)) {}
      again.close();
      expect(watchReport(again.watch)).toEqual(seen);
      const none = new FileSniffer({ read: file, filter: 'udp port 47003', write: null, seed: 2 });
      while (none.advance(100)) {}
      none.close();
      expect(none.watch.frames).toBe(0);

      const copy = join(folder, 'copy.pcapng');
      const copied = new FileSniffer({ read: file, filter: 'less 80', write: copy, seed: 2 });
      while (copied.advance(100)) {}
      copied.close();
      const short = (BURST / 100) * 38; // payloads of 1 to 38 bytes
      expect(copied.written).toBe(short);
      if (noTshark === '') {
        const tshark = (name: string, filter: string): number => {
          const words = ['-r', name, '-Y', filter, '-T', 'fields', '-e', 'frame.number'];
          const text = execFileSync('tshark', words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
          return text.split('\n').filter((line) => line !== '').length;
        };
        expect(tshark(file, 'udp.dstport == 47002 && ip.src == 198.51.100.1')).toBe(BURST);
        expect(tshark(file, '_ws.malformed')).toBe(0);
        expect(tshark(copy, 'udp && frame.len <= 80')).toBe(short);
      }
      near.close();
      far.close();
      sys.close();
    } finally {
      pair.close();
    }
  }, 60_000);

  it('puts the VLAN tag back that the kernel took off', () => {
    const pair = new NamespacePair('vlan');
    try {
      const file = join(folder, 'vlan.pcapng');
      const live = pair.inside(pair.far, () => sniffer('far', '', file));
      const frame = Buffer.from(
        `020000000002${'020000000001'}8100e04d0800` + // priority 7, VLAN 77
          `4500001f000040004011${'0000'}c6336401c6336402b799b79a000b0000${'616263'}`,
        'hex',
      );
      pair.inside(pair.near, () => sendFrame('near', frame, 10));
      takeAll(live);
      live.close();
      const again = new FileSniffer({ read: file, filter: 'vlan 77 and udp port 47002', write: null, seed: 2 });
      while (again.advance(100)) {}
      again.close();
      const { frames, bytes, flows, malformed } = watchReport(again.watch);
      expect({ frames, bytes, malformed }).toEqual({ frames: 10, bytes: 10 * frame.length, malformed: 0 });
      expect(flows[0]).toMatchObject({ from: `${NEAR}:47001`, to: `${FAR}:47002` });
      expect(readFileSync(file).includes(frame)).toBe(true);
    } finally {
      pair.close();
    }
  }, 30_000);

  it('ends with a clear error when the interface goes down, and what it wrote is whole', async () => {
    const pair = new NamespacePair('down');
    try {
      pair.open();
      const file = join(folder, 'down.pcapng');
      const sys = openSys({ backend: 'udp' });
      const near = await pair.inside(pair.near, () => sys.openUdp(addressOf(NEAR, 47001)!, { gso: false }));
      const live = pair.inside(pair.far, () => sniffer('far', 'udp', file));
      const ended = new Promise<unknown>((resolve) => live.attach(resolve));
      send(near, addressOf(FAR, 47002)!, 50);
      execFileSync('ip', ['-n', pair.far, 'link', 'set', 'far', 'down']);
      expect(String(await ended)).toMatch(/ENETDOWN: the interface far is down or gone/);
      live.close();
      const again = new FileSniffer({ read: file, filter: '', write: null, seed: 2 });
      while (again.advance(100)) {}
      again.close();
      expect(again.watch.frames).toBe(live.written);
      expect(live.written).toBe(50);
      expect(() => pair.inside(pair.far, () => sniffer('far', ''))).toThrow(/ENETDOWN.*ip link set far up/);
      expect(readFileSync(file).length).toBeGreaterThan(50 * 42);
      near.close();
      sys.close();
    } finally {
      pair.close();
    }
  }, 30_000);
});
