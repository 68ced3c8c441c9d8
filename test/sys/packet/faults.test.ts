/** Where frames cannot be sent, the kernel's UDP sends, and the sockets say why; an XDP program on the interface is no obstacle. */

import { describe, expect, it } from 'vitest';
import { openPacketSys } from '../../../sys/packet/packet-sys.ts';
import { openSharedParts } from '../../../sys/shared-parts.ts';
import { append } from '../../conformance/outside.ts';
import { pattern } from '../../conformance/workbench.ts';
import { FAR, NEAR } from '../linux/namespaces.ts';
import { awaitReceive } from '../linux/sockets.ts';
import { CAP_NET_RAW, withoutRights } from '../linux/without-rights.ts';
import { openLinux, openXdp, whyNoXdp, XdpPair } from '../xdp/veth.ts';
import { whyNoFrames } from './open-packet-sys.ts';

const why = whyNoFrames() || whyNoXdp();

describe.skipIf(why !== '')(`frames that cannot be sent${why === '' ? '' : ` (${why})`}`, () => {
  it('without CAP_NET_RAW: an error with the command that grants it, or UDP whose sockets say so', async () => {
    const open = (fallback: boolean) => withoutRights([CAP_NET_RAW], () => openPacketSys(openSharedParts(), fallback));
    expect(() => open(false)).toThrow(/EPERM.*setcap cap_net_raw/);
    const pair = new XdpPair('norights');
    const sys = open(true);
    const outside = openLinux();
    try {
      pair.introduce();
      const socket = await pair.openUdp(sys, 'near', NEAR);
      expect(socket.way!()).toMatchObject({
        backend: 'udp',
        fallback: expect.stringMatching(/^frames cannot be sent: .*EPERM.*setcap cap_net_raw/),
      });
      const peer = await pair.openUdp(outside, 'far', FAR);
      append(socket, peer.localAddress, pattern(9));
      expect(socket.flush()).toBe(1);
      expect(awaitReceive(outside, peer)).toBe(1);
    } finally {
      sys.close();
      outside.close();
      pair.close();
    }
  });

  it('beside an XDP program on the same interface frames go and come', async () => {
    const pair = new XdpPair('beside');
    const xdp = openXdp();
    const sys = openPacketSys(openSharedParts(), false);
    const outside = openLinux();
    try {
      pair.introduce();
      await pair.openUdp(xdp, 'near', NEAR);
      const socket = await pair.openUdp(sys, 'near', NEAR);
      expect(socket.way!().backend).toBe('packet');
      const peer = await pair.openUdp(outside, 'far', FAR);
      append(socket, peer.localAddress, pattern(9));
      expect(socket.flush()).toBe(1);
      expect(awaitReceive(outside, peer)).toBe(1);
      append(peer, socket.localAddress, pattern(10));
      peer.flush();
      expect(awaitReceive(sys, socket)).toBe(1);
    } finally {
      for (const open of [xdp, sys, outside]) open.close();
      pair.close();
    }
  });
});
