/**
 * Where a timeline plays: a simulated world (`world-scene.ts`), or a proxy between real programs (`proxy/proxy-scene.ts`), which
 * has links and NATs, but no say over hosts and what runs on them.
 */

import type { Micros } from '../../sys/api.ts';
import type { AimdOptions } from '../link/aimd-source.ts';
import type { Bottleneck } from '../link/bottleneck.ts';
import type { BottleneckOptions } from '../link/bottleneck-options.ts';
import type { CbrOptions } from '../link/cbr-source.ts';
import type { DirectionOptions } from '../link/direction-options.ts';
import type { SimHost } from '../world/host.ts';
import type { RebindOptions } from '../world/nat.ts';
import type { World } from '../world/world.ts';

/** Begins another life of a host that has crashed: its code with the arguments of the first. */
export type Restart = (host: SimHost) => void;

/** One way of a link, or of the links of several clients that fare alike. */
export interface PlayedWay {
  /** Throws RangeError. */
  configure(options: DirectionOptions): void;
  cut(): void;
  mend(): void;
  hold(): void;
  release(): void;
}

/** Hosts are named as in a run: `server`, `client-0`. */
export interface Scene {
  /** Time of the timeline. */
  readonly now: Micros;
  /** Does `act` at that time. */
  at(time: Micros, act: () => void): void;
  /** A new line that several links share. */
  addBottleneck(name: string, options: BottleneckOptions): void;
  bottleneckNamed(name: string): Bottleneck | null;
  /** Cross traffic, whose times are those of the timeline. */
  addAimdSource(name: string, options: AimdOptions): void;
  addCbrSource(name: string, options: CbrOptions): void;
  /** The way from one host to another; null: there is no link between them. */
  way(from: string, to: string): PlayedWay | null;
  /** The NAT before a host forgets its mappings. */
  rebind(host: string, options: RebindOptions): void;
  /** The NAT before a host forgets what has sent nothing for so long; NEVER: nothing. */
  natTimeout(host: string, timeoutMicros: Micros): void;
  /** The hosts and what runs on them; null where they are real. */
  readonly hosts: SceneHosts | null;
}

export interface SceneHosts {
  readonly world: World;
  /** Without it no host comes back. */
  readonly restart: Restart | undefined;
}
