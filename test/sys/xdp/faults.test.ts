/** AF_XDP that cannot be had says why; AF_XDP that goes away leaves a socket that goes on. */

import { describe, expect, it } from 'vitest';
import type { DatagramSocket } from '../../../sys/api.ts';
import type { XdpOptions } from '../../../sys/xdp/xdp-options.ts';
import type { XdpSys } from '../../../sys/xdp/xdp-sys.ts';
import { append } from '../../conformance/outside.ts';
import { pattern } from '../../conformance/workbench.ts';
import { FAR, NEAR } from '../linux/namespaces.ts';
import { awaitReceive } from '../linux/sockets.ts';
import { CAP_NET_ADMIN, CAP_NET_RAW, withMemlock, withoutRights } from '../linux/without-rights.ts';
import { ip, openLinux, openXdp, whyNoXdp, XdpPair } from './veth.ts';

const why = whyNoXdp();

describe.skipIf(why !== '')(`AF_XDP that fails${why === '' ? '' : ` (${why})`}`, () => {
  it('says so where another program is attached, the interface is down, or there is none', async () => {
    const pair = new XdpPair('faults');
    const first = openXdp();
    const second = openXdp();
    try {
      await pair.openUdp(first, 'near', NEAR);
      await expect(pair.openUdp(second, 'near', NEAR)).rejects.toMatchObject({
        code: 'EBUSY',
        syscall: 'bpf(LINK_CREATE)',
        message: expect.stringContaining('one process can use an interface'),
      });
      const absent = openXdp({ interface: 'absent0' });
      await expect(pair.openUdp(absent, 'near', NEAR)).rejects.toMatchObject({ code: 'ENODEV' });
      ip('-n', pair.far, 'link', 'set', 'far', 'down');
      const down = openXdp({ interface: 'far' });
      await expect(pair.openUdp(down, 'far', NEAR)).rejects.toMatchObject({ code: 'ENETDOWN' });
    } finally {
      first.close();
      second.close();
      pair.close();
    }
  });

  it('goes on over the kernel when its interface vanishes', async () => {
    const pair = new XdpPair('vanish');
    const sys = openXdp();
    try {
      const socket = await pair.openUdp(sys, 'near', NEAR);
      ip('-n', pair.near, 'link', 'delete', 'near');
      ip('-n', pair.near, 'address', 'add', `${NEAR}/32`, 'dev', 'lo');
      append(socket, socket.localAddress, pattern(9));
      expect(socket.flush()).toBe(1);
      expect(awaitReceive(sys, socket)).toBe(1);
      socket.close();
    } finally {
      sys.close();
      pair.close();
    }
  });

  /** What is in the way: whatever `work` opens meets it. */
  interface Obstacle {
    readonly name: string;
    readonly code: string;
    readonly remedy: RegExp;
    readonly options?: XdpOptions;
    readonly meet: (work: () => Promise<DatagramSocket>, pair: XdpPair) => Promise<DatagramSocket>;
  }
  const others: XdpSys[] = [];
  const obstacles: readonly Obstacle[] = [
    {
      name: 'another program is on the interface',
      code: 'EBUSY',
      remedy: /ip link show dev near.*xdp off/,
      meet: async (work, pair) => {
        const first = openXdp();
        others.push(first);
        await pair.openUdp(first, 'near', NEAR);
        return work();
      },
    },
    {
      name: 'the interface is not there',
      code: 'ENODEV',
      remedy: /ip -brief link/,
      options: { interface: 'absent0' },
      meet: (work) => work(),
    },
    {
      name: 'the interface is down',
      code: 'ENETDOWN',
      remedy: /ip link set idle up/,
      options: { interface: 'idle' },
      meet: (work, pair) => {
        ip('-n', pair.near, 'link', 'add', 'idle', 'type', 'veth', 'peer', 'name', 'idle2');
        return work();
      },
    },
    {
      name: 'the right to the network is missing',
      code: 'EPERM',
      remedy: /setcap cap_net_raw,cap_net_admin,cap_bpf/,
      meet: (work) => withoutRights([CAP_NET_ADMIN, CAP_NET_RAW], work),
    },
    {
      name: 'too little memory may be locked',
      code: 'ENOBUFS',
      remedy: /ulimit -l.*LimitMEMLOCK/,
      meet: (work) => withMemlock(65_536, work),
    },
  ];

  for (const { name, code, remedy, options, meet } of obstacles) {
    it(`goes by UDP where ${name}, and says why and what to do; without a fallback that is the error`, async () => {
      const pair = new XdpPair('obstacle');
      const strict = openXdp({ ...options });
      const sys = openXdp({ ...options, fallback: true });
      const outside = openLinux();
      try {
        pair.introduce();
        const rejected = meet(() => pair.openUdp(strict, 'near', NEAR), pair);
        await expect(rejected).rejects.toMatchObject({ code, message: expect.stringMatching(remedy) });
        for (const other of others.splice(0)) other.close();
        if (code === 'ENETDOWN') ip('-n', pair.near, 'link', 'delete', 'idle');
        const socket = await meet(() => pair.openUdp(sys, 'near', NEAR), pair);
        expect(socket.way!()).toEqual({
          backend: 'udp',
          details: '',
          fallback: expect.stringMatching(new RegExp(`^AF_XDP cannot be had: .*${code}.*${remedy.source}`)),
        });
        const peer = await pair.openUdp(outside, 'far', FAR);
        append(socket, peer.localAddress, pattern(9));
        expect(socket.flush()).toBe(1);
        expect(awaitReceive(outside, peer)).toBe(1);
        append(peer, socket.localAddress, pattern(10));
        peer.flush();
        expect(awaitReceive(sys, socket)).toBe(1);
        expect(sys.report()).toEqual([]);
      } finally {
        for (const open of [strict, sys, outside, ...others.splice(0)]) open.close();
        pair.close();
      }
    });
  }

  it('says which sockets are the kernel’s because AF_XDP is not for them, fallback or not', async () => {
    const pair = new XdpPair('notfor');
    const sys = openXdp();
    const lo = openXdp({ interface: 'lo' });
    try {
      const why = async (...open: Parameters<XdpPair['openUdp']>) => (await pair.openUdp(...open)).way!();
      expect((await why(sys, 'near', '127.0.0.1')).fallback).toMatch(/no such interface is for 127\.0\.0\.1: bind/);
      expect((await why(lo, 'near', NEAR)).fallback).toMatch(/Ethernet, which lo is not/);
      expect((await why(sys, 'near', NEAR, 0, { reusePort: true })).fallback).toMatch(/share/);
      const near = openXdp({ interface: 'near' });
      others.push(near);
      expect((await why(near, 'near', '127.0.0.1')).fallback).toMatch(/near does not have the address 127\.0\.0\.1/);
      expect(await why(sys, 'near', NEAR)).toEqual({
        backend: 'xdp',
        details: 'near, native, copied, 1 queue',
        fallback: '',
      });
    } finally {
      for (const open of [sys, lo, ...others.splice(0)]) open.close();
      pair.close();
    }
  });

  it('tells of an interface that is down, is up again, and has gone', async () => {
    const pair = new XdpPair('tells');
    const sys = openXdp();
    try {
      const socket = await pair.openUdp(sys, 'near', NEAR);
      const way = () => pair.inside(pair.near, () => socket.way!());
      expect(way().backend).toBe('xdp');
      ip('-n', pair.near, 'link', 'set', 'near', 'down');
      expect(way()).toMatchObject({ backend: 'udp', fallback: expect.stringContaining('near is down or has gone') });
      ip('-n', pair.near, 'link', 'set', 'near', 'up');
      await expect.poll(() => way().backend).toBe('xdp');
      ip('-n', pair.near, 'link', 'delete', 'near');
      expect(way().fallback).toContain('near');
    } finally {
      sys.close();
      pair.close();
    }
  });
});
