/** A simulated world as the scene of a timeline. */

import type { Micros } from '../../sys/api.ts';
import type { AimdOptions } from '../link/aimd-source.ts';
import type { Bottleneck } from '../link/bottleneck.ts';
import type { BottleneckOptions } from '../link/bottleneck-options.ts';
import type { CbrOptions } from '../link/cbr-source.ts';
import type { LinkDirection } from '../link/link.ts';
import type { RebindOptions } from '../world/nat.ts';
import type { World } from '../world/world.ts';
import type { Restart, Scene, SceneHosts } from './scene.ts';

export class WorldScene implements Scene {
  readonly hosts: SceneHosts;
  readonly #world: World;

  constructor(world: World, restart?: Restart) {
    this.#world = world;
    this.hosts = { world, restart };
  }

  get now(): Micros {
    return this.#world.now;
  }

  at(time: Micros, act: () => void): void {
    this.#world.at(time, act);
  }

  addBottleneck(name: string, options: BottleneckOptions): void {
    this.#world.bottleneck(name, options);
  }

  bottleneckNamed(name: string): Bottleneck | null {
    return this.#world.bottleneckNamed(name);
  }

  addAimdSource(name: string, options: AimdOptions): void {
    this.#world.aimdSource(name, options);
  }

  addCbrSource(name: string, options: CbrOptions): void {
    this.#world.cbrSource(name, options);
  }

  way(from: string, to: string): LinkDirection {
    const world = this.#world;
    return world.direction(world.hostNamed(from)!, world.hostNamed(to)!);
  }

  rebind(host: string, options: RebindOptions): void {
    this.#world.rebind(this.#world.hostNamed(host)!, options);
  }

  natTimeout(host: string, timeoutMicros: Micros): void {
    this.#world.natTimeout(this.#world.hostNamed(host)!, timeoutMicros);
  }
}
