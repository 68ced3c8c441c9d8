/**
 * A process of its own: a proxy with links of the simulator, that reports its port, and after some seconds what it has done.
 *
 * Arguments: a JSON object of `Setting`.
 */

import type { DirectionOptions } from '../../sim/link/direction-options.ts';
import { ProxyLoop } from '../../sim/proxy/proxy-loop.ts';
import { proxyReport } from '../../sim/proxy/proxy-report.ts';
import { UdpProxy } from '../../sim/proxy/udp-proxy.ts';
import { addressOf, portOf } from '../../sys/api.ts';
import { openSys } from '../../sys/index.ts';
import { cpuMicros, report } from './bench-child.ts';

export interface Setting {
  readonly toPort: number;
  readonly seed: string;
  readonly link: DirectionOptions;
  readonly seconds: number;
  /** Times before this are not counted. */
  readonly warmUpSeconds: number;
  readonly spin?: boolean;
}

const setting = JSON.parse(process.argv[2]!) as Setting;
const sys = openSys();
const proxy = await UdpProxy.open(
  { sys },
  {
    seed: setting.seed,
    listen: addressOf('127.0.0.1', 0)!,
    to: addressOf('127.0.0.1', setting.toPort)!,
    link: setting.link,
  },
);
report({ port: portOf(proxy.address) });
const loop = new ProxyLoop(proxy, { spin: setting.spin ?? false });
setTimeout(() => proxy.departures.measureAnew(), setting.warmUpSeconds * 1000);
setTimeout(() => loop.stop(), setting.seconds * 1000);
const before = cpuMicros();
await loop.run();
report({ ...proxyReport(proxy), cpuMicros: cpuMicros() - before });
proxy.close();
