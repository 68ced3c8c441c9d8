/** What is said of each way to the network and of interfaces is what happens when they are used. */

import { describe, expect, it } from 'vitest';
import { reportBackends } from '../../sys/backend-report.ts';
import { library } from '../../sys/ffi/library.ts';
import { reportInterfaces } from '../../sys/xdp/interface-report.ts';
import { xdpFailure } from '../../sys/xdp/probe.ts';
import { NEAR } from './linux/namespaces.ts';
import { CAP_IPC_LOCK, CAP_NET_ADMIN, CAP_NET_RAW, withMemlock, withoutRights } from './linux/without-rights.ts';
import { ip, NEAR6, openXdp, whyNoXdp, XdpPair } from './xdp/veth.ts';

const why = whyNoXdp();
const native = process.platform === 'linux' && library() !== null;

describe('reportBackends', () => {
  it('says something of each, a remedy exactly where it is missing, and the floor is there', async () => {
    const { backends, auto } = await reportBackends();
    expect(backends.map(({ backend }) => backend)).toEqual(['udp', 'packet', 'xdp', 'dgram']);
    for (const { backend, ok, found, remedy } of backends) {
      expect({ backend, found: found !== '', remedy: remedy !== '' }).toEqual({ backend, found: true, remedy: !ok });
      expect(found + remedy).not.toContain('\n');
    }
    expect(backends.at(-1)!.ok).toBe(true);
    expect(auto.backend).toBe(native ? 'udp' : 'dgram');
    expect(backends.find(({ backend }) => backend === auto.backend)!.ok).toBe(true);
  });
});

describe.skipIf(why !== '')(`over a veth${why === '' ? '' : ` (${why})`}`, () => {
  it('an interface is described as the backend then uses it, and a program on it is seen', async () => {
    const pair = new XdpPair('report', 2);
    const sys = openXdp();
    const near = () => pair.inside(pair.near, () => reportInterfaces());
    try {
      ip('-n', pair.near, 'route', 'add', 'default', 'dev', 'near');
      ip('-n', pair.far, 'link', 'set', 'far', 'down');
      const before = near();
      expect(before.map(({ name }) => name)).toEqual(['lo', 'near']);
      expect(before[0]).toMatchObject({ unfit: 'no Ethernet' });
      ip('-n', pair.far, 'link', 'set', 'far', 'up');
      await expect.poll(() => near()[1]!.addresses).toEqual(expect.arrayContaining([NEAR, NEAR6]));
      const { unfit, mtuBytes, queues, mode, zeroCopy, isDefault, attached } = near()[1]!;
      expect({ unfit, mtuBytes, queues, isDefault, attached }).toEqual({
        unfit: '',
        mtuBytes: 1500,
        queues: 2,
        isDefault: true,
        attached: false,
      });
      await pair.openUdp(sys, 'near', NEAR);
      const [used] = sys.report();
      // Before Linux 6.3 nothing is told.
      if (mode !== 'untold') expect({ mode, zeroCopy }).toEqual({ mode: used!.mode, zeroCopy: used!.zeroCopy });
      expect(near()[1]!.attached).toBe(true);
      sys.close();
      expect(near()[1]!.attached).toBe(false);
      ip('-n', pair.near, 'link', 'set', 'near', 'down');
      expect(near()[1]!.unfit).toBe('down: `sudo ip link set near up`');
    } finally {
      sys.close();
      pair.close();
    }
  });

  it('what AF_XDP lacks is found without an interface', () => {
    expect(xdpFailure()).toBeNull();
    expect(withoutRights([CAP_NET_ADMIN, CAP_NET_RAW], () => xdpFailure())).toMatchObject({ code: 'EPERM' });
    expect(withMemlock(65_536, () => xdpFailure())).toMatchObject({ code: 'ENOBUFS' });
    expect(withoutRights([CAP_IPC_LOCK], () => withoutRights([], () => 7))).toBe(7);
  });
});
