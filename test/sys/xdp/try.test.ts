import { it } from 'vitest';
import { openXdp, openLinux, XdpPair } from './veth.ts';
import { append, collectMarks } from '../linux/sockets.ts';
import { NEAR, FAR } from '../linux/namespaces.ts';
it('x', async () => {
  const pair = new XdpPair('try');
  const sys = openXdp(); const lin = openLinux();
  try {
    const a: any = await pair.openUdp(sys, 'near', NEAR);
    const b = await pair.openUdp(lin, 'far', FAR);
    console.log(sys.report());
    for (let round = 0; round < 4; round++) {
    append(b, a.localAddress, 100, 7); b.flush();
    console.log(collectMarks(sys, a, 1), a.traffic, a.drops());
    append(a, b.localAddress, 100, 8); append(a, b.localAddress, 5, 9); console.log(a.flush());
    console.log(collectMarks(lin, b, 2), a.traffic, a.stats);
    }
    await new Promise(r=>setTimeout(r,30)); append(a, b.localAddress, 100, 8); append(a, b.localAddress, 5, 9);append(a, b.localAddress, 1001, 9); console.log(a.flush());
    console.log(collectMarks(lin, b, 3), a.traffic, a.stats);
 const t0=performance.now(); a.close(); b.close(); console.log("close", performance.now()-t0);
  } finally { sys.close(); pair.close(); }
});
