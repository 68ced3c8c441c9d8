/** Nothing is lost or misdelivered while route, neighbour and link change under a socket that sends frames. */

import { execFileSync } from 'node:child_process';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ADDRESS_BYTES, addressOf, type DatagramSocket } from '../../../sys/api.ts';
import type { PacketUdpSocket } from '../../../sys/packet/packet-socket.ts';
import type { PacketSys } from '../../../sys/packet/packet-sys.ts';
import { FAR, NamespacePair, NEAR, whyNoNamespaces } from '../linux/namespaces.ts';
import { openPacketSys, whyNoFrames } from './open-packet-sys.ts';

const missing = whyNoFrames() || whyNoNamespaces();
const DATAGRAMS = 20_000;
const BATCH = 50;
const BYTES = 100;
const FAR_MAC = '02:00:00:00:00:02';
const NEW_MAC = '02:00:00:00:00:33';
const NEAR6 = 'fd00:9::1';
const FAR6 = 'fd00:9::2';
/** Pauses of a whole second while a link comes up again. */
const CARRIER_MILLIS = 1500;

function ip(...args: string[]): void {
  execFileSync('ip', args, { stdio: 'pipe' });
}

function later(millis: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, millis));
}

describe.skipIf(missing !== '')(`changes under way${missing === '' ? '' : ` (${missing})`}`, () => {
  let pair: NamespacePair;
  let sys: PacketSys;
  let sender: PacketUdpSocket;
  let receiver: DatagramSocket;
  let sent: number;
  let wrong: number;
  let seen: Uint8Array;

  const open = async (near: string, far: string) => {
    // No joining: what an MTU does to one datagram is seen.
    sender = await pair.inside(pair.near, () => sys.openUdp(addressOf(near, 0)!, { gso: false }));
    receiver = await pair.inside(pair.far, () => sys.openUdp(addressOf(far, 0)!, { receiveBufferBytes: 1 << 22 }));
  };
  beforeEach(async () => {
    pair = new NamespacePair(`change${Math.trunc(performance.now())}`);
    pair.open();
    ip('-n', pair.near, '-6', 'address', 'add', `${NEAR6}/64`, 'dev', 'near', 'nodad');
    ip('-n', pair.far, '-6', 'address', 'add', `${FAR6}/64`, 'dev', 'far', 'nodad');
    ip('-n', pair.near, '-6', 'neigh', 'replace', FAR6, 'lladdr', FAR_MAC, 'dev', 'near', 'nud', 'permanent');
    sys = openPacketSys();
    sent = 0;
    wrong = 0;
    seen = new Uint8Array(DATAGRAMS);
    await later(CARRIER_MILLIS); // until the new link has its carrier
  });
  afterEach(() => {
    sender.close();
    receiver.close();
    sys.close();
    pair.close();
  });

  const drain = (): void => {
    for (let n = receiver.receive(); n > 0; n = receiver.receive()) {
      const { rx } = receiver;
      for (let slot = 0; slot < n; slot++) {
        const number = rx.view.getUint32(rx.offset[slot]!, true);
        const whole = rx.length[slot] === BYTES && rx.arena[rx.offset[slot]! + BYTES - 1] === (number & 0xff);
        if (!whole || number >= DATAGRAMS || seen[number] === 1) wrong++;
        else seen[number] = 1;
      }
    }
  };
  /** Sends numbered datagrams until `until` have been; each batch is received before the next. */
  const sendUntil = (until: number, to: Uint8Array): void => {
    const { tx } = sender;
    while (sent < until) {
      for (let i = 0; i < BATCH; i++, sent++) {
        const slot = tx.count++;
        tx.length[slot] = BYTES;
        tx.address.set(to, slot * ADDRESS_BYTES);
        tx.view.setUint32(tx.offset[slot]!, sent, true);
        tx.arena[tx.offset[slot]! + BYTES - 1] = sent & 0xff;
      }
      sender.flush();
      expect(tx.count).toBe(0);
      drain();
    }
  };
  const arrived = (): number => seen.reduce((sum, one) => sum + one, 0);

  it.each([
    ['IPv4', NEAR, FAR],
    ['IPv6', NEAR6, FAR6],
  ])('all arrive where nothing changes, all as frames (%s)', async (_name, near, far) => {
    await open(near, far);
    sendUntil(DATAGRAMS, receiver.localAddress);
    expect([arrived(), wrong]).toEqual([DATAGRAMS, 0]);
    expect(sender.ways).toEqual({ framesOut: DATAGRAMS, framesJoined: 0, udpOut: 0, framesFull: 0, framesRefused: 0 });
  });

  it.each([
    ['IPv4', NEAR, FAR],
    ['IPv6', NEAR6, FAR6],
  ])('all arrive while the neighbour gets another MAC (%s)', async (_name, near, far) => {
    await open(near, far);
    sendUntil(DATAGRAMS / 2, receiver.localAddress);
    ip('-n', pair.far, 'link', 'set', 'far', 'address', NEW_MAC);
    ip('-n', pair.near, 'neigh', 'replace', far, 'lladdr', NEW_MAC, 'dev', 'near', 'nud', 'permanent');
    sendUntil(DATAGRAMS, receiver.localAddress);
    expect([arrived(), wrong]).toEqual([DATAGRAMS, 0]);
    expect(sender.ways.framesOut).toBe(DATAGRAMS);
  });

  it('all arrive while the neighbour goes stale: some go by UDP, then frames again', async () => {
    await open(NEAR, FAR);
    sendUntil(DATAGRAMS / 2, receiver.localAddress);
    ip('-n', pair.near, 'neigh', 'replace', FAR, 'lladdr', FAR_MAC, 'dev', 'near', 'nud', 'stale');
    sendUntil(DATAGRAMS / 2 + BATCH, receiver.localAddress);
    expect(sender.ways.udpOut).toBe(BATCH);
    await later(20); // until it may be looked at again
    sendUntil(DATAGRAMS, receiver.localAddress);
    expect([arrived(), wrong]).toEqual([DATAGRAMS, 0]);
    expect(sender.ways.udpOut).toBe(BATCH);
  });

  it('all arrive while the route moves to another link and back', async () => {
    ip('-n', pair.near, 'link', 'add', 'near2', 'type', 'veth', 'peer', 'name', 'far2', 'netns', pair.far);
    ip('-n', pair.far, 'link', 'set', 'far2', 'address', NEW_MAC, 'up');
    ip('-n', pair.near, 'link', 'set', 'near2', 'up');
    ip('-n', pair.near, 'neigh', 'replace', FAR, 'lladdr', NEW_MAC, 'dev', 'near2', 'nud', 'permanent');
    await later(CARRIER_MILLIS);
    await open(NEAR, FAR);
    sendUntil(DATAGRAMS / 4, receiver.localAddress);
    ip('-n', pair.near, 'route', 'add', `${FAR}/32`, 'dev', 'near2', 'src', NEAR);
    sendUntil(DATAGRAMS / 2, receiver.localAddress);
    const onNew = received(pair.far, 'far2');
    ip('-n', pair.near, 'route', 'delete', `${FAR}/32`);
    sendUntil(DATAGRAMS, receiver.localAddress);
    expect([arrived(), wrong]).toEqual([DATAGRAMS, 0]);
    expect(onNew).toBeGreaterThanOrEqual(DATAGRAMS / 4);
    expect(received(pair.far, 'far2') - onNew).toBeLessThan(100);
    expect(sender.ways.framesOut).toBeGreaterThan(DATAGRAMS * 0.9);
  });

  it('a smaller MTU stops what is too large for it, as UDP would, and nothing else', async () => {
    await open(NEAR, FAR);
    sendUntil(DATAGRAMS / 2, receiver.localAddress);
    pair.limitMtu(BYTES + 27);
    sendUntil(DATAGRAMS / 2 + BATCH, receiver.localAddress);
    expect(sender.stats.tooLarge).toBe(BATCH);
    pair.limitMtu(BYTES + 28);
    sendUntil(DATAGRAMS, receiver.localAddress);
    expect([arrived(), wrong]).toEqual([DATAGRAMS - BATCH, 0]);
    expect(sender.stats.tooLarge).toBe(BATCH);
    expect(sender.ways.framesOut).toBe(DATAGRAMS - BATCH);
  });

  it('a link that goes down and up loses only what is sent meanwhile, counted, and frames go on', async () => {
    await open(NEAR, FAR);
    sendUntil(DATAGRAMS / 2, receiver.localAddress);
    ip('-n', pair.near, 'link', 'set', 'near', 'down');
    sendUntil(DATAGRAMS / 2 + BATCH, receiver.localAddress);
    expect(sender.stats.sendFailed).toBe(BATCH);
    ip('-n', pair.near, 'link', 'set', 'near', 'up');
    pair.open();
    await later(CARRIER_MILLIS);
    const before = sender.ways.framesOut;
    sendUntil(DATAGRAMS, receiver.localAddress);
    expect([arrived(), wrong]).toEqual([DATAGRAMS - BATCH, 0]);
    expect(sender.ways.framesOut - before).toBeGreaterThan(DATAGRAMS / 2 - 10 * BATCH);
  });

  it('an interface that is gone makes datagrams fail by UDP, without a throw', async () => {
    await open(NEAR, FAR);
    sendUntil(BATCH, receiver.localAddress);
    ip('-n', pair.near, 'link', 'delete', 'near');
    sendUntil(10 * BATCH, receiver.localAddress);
    expect(sender.stats.sendFailed).toBe(9 * BATCH);
    expect(arrived()).toBe(BATCH);
  });
});

/** Packets that `device` of a namespace has received. */
function received(namespace: string, device: string): number {
  const text = execFileSync('ip', ['-n', namespace, '-s', '-j', 'link', 'show', device], { encoding: 'utf8' });
  return (JSON.parse(text) as [{ stats64: { rx: { packets: number } } }])[0].stats64.rx.packets;
}
