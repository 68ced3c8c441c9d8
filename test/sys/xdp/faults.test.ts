/** AF_XDP that cannot be had says why; AF_XDP that goes away leaves a socket that goes on. */

import { describe, expect, it } from 'vitest';
import { append } from '../../conformance/outside.ts';
import { pattern } from '../../conformance/workbench.ts';
import { NEAR } from '../linux/namespaces.ts';
import { awaitReceive } from '../linux/sockets.ts';
import { ip, openXdp, whyNoXdp, XdpPair } from './veth.ts';

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
});
