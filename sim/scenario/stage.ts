/**
 * Where a timeline plays: the links, bottlenecks and hosts of a scenario file with the settings that they have now.
 *
 * It plays twice. In the rehearsal, before anything runs, there is no world: settings are laid one over another and checked,
 * so that a step that cannot be is found at once and not an hour later. Then in the world, at world time.
 */

import { checkBottleneck } from '../link/bottleneck-options.ts';
import { checkDirection } from '../link/direction-options.ts';
import { EventQueue } from '../world/event-queue.ts';
import type { SimHost } from '../world/host.ts';
import type { World } from '../world/world.ts';
import { globMatcher } from './host-glob.ts';
import {
  bottleneckOptionsOf,
  directionOptionsOf,
  type LinkSettings,
  overlay,
  type SettingChanges,
  type TraceReader,
} from './link-settings.ts';

export type Way = 'up' | 'down';

/** A direction or a bottleneck. */
export interface Target {
  readonly settings: LinkSettings;
  /** Changes what `changes` names. Throws RangeError when that cannot be. */
  lay(changes: SettingChanges): void;
}

/** What a stage is set up from. */
export interface StageOptions {
  readonly clients: number;
  /** The settings of a client's link at the beginning. */
  readonly settingsOf: (client: number, way: Way) => LinkSettings;
  readonly bottlenecks: ReadonlyMap<string, LinkSettings>;
  readonly traces: TraceReader;
}

/** Steps of all timelines of a run: more is a mistake in a unit. */
const STEPS_MAX = 100_000;
export const SERVER = 'server';

/** The name of a client's host, as `runScenario` names it. */
export function clientName(client: number): string {
  return `client-${client}`;
}

export class Stage {
  readonly traces: TraceReader;
  readonly #options: StageOptions;
  readonly #world: World | null;
  /** Clients that a rehearsal plays with: others fare as one of them. */
  readonly #played: ReadonlySet<number> | null;
  readonly #targets: Map<string, Target> = new Map();
  /** The rehearsal's agenda. */
  readonly #agenda: EventQueue = new EventQueue();
  readonly #acts: (() => void)[] = [];
  /** The entry of the timeline that each of them is of. */
  readonly #entries: number[] = [];
  #entry = 0;
  #now = 0;

  /** In `world`; or, with null, a rehearsal with those clients. */
  constructor(options: StageOptions, world: World | null, played: ReadonlySet<number> | null = null) {
    this.traces = options.traces;
    this.#options = options;
    this.#world = world;
    this.#played = played;
  }

  /** World time. */
  get now(): number {
    return this.#world?.now ?? this.#now;
  }

  /** The links of the clients that are meant. */
  links(glob: string, direction: Way | 'both'): Target[] {
    const ways: readonly Way[] = direction === 'both' ? ['up', 'down'] : [direction];
    const clients = this.#clientsNamed(glob);
    return clients.flatMap((client) => ways.map((way) => this.link(client, way)));
  }

  /** One way of a client's link. */
  link(client: number, way: Way): Target {
    return this.#target(`${way}/${client}`, this.#options.settingsOf(client, way), (settings) => {
      const world = this.#world;
      if (settings.bottleneckName !== undefined) this.bottleneck(settings.bottleneckName);
      const options = directionOptionsOf(settings, (name) => world?.bottleneckNamed(name) ?? null);
      if (world === null) {
        checkDirection('link', options);
        return;
      }
      const [server, host] = [world.hostNamed(SERVER)!, world.hostNamed(clientName(client))!];
      (way === 'up' ? world.direction(host, server) : world.direction(server, host)).configure(options);
    });
  }

  bottleneck(name: string): Target {
    const settings = this.#options.bottlenecks.get(name);
    if (settings === undefined) {
      const names = [...this.#options.bottlenecks.keys()].join(', ');
      throw new RangeError(`there is no bottleneck "${name}"${names === '' ? '' : `; there is ${names}`}`);
    }
    return this.#target(`bottleneck/${name}`, settings, (settings) => {
      if (settings.rateBitsPerSecond === undefined && settings.rateTrace === undefined) {
        throw new RangeError('a bottleneck has a rate: give rate or rateTrace');
      }
      const options = bottleneckOptionsOf(settings);
      if (this.#world === null) checkBottleneck('bottleneck', options);
      else this.#world.bottleneckNamed(name)!.configure(options);
    });
  }

  /**
   * Does something to every host that is meant: the server by its name, clients by a pattern too. A rehearsal only finds
   * out whether there is one.
   */
  eachHost(glob: string, act: (host: SimHost, world: World) => void): void {
    const world = this.#world;
    const names = glob === SERVER ? [SERVER] : this.#clientsNamed(glob).map(clientName);
    if (world !== null) for (const name of names) act(world.hostNamed(name)!, world);
  }

  /** What is put on the stage from here is of this entry of the timeline. */
  enter(entry: number): void {
    this.#entry = entry;
  }

  /** Does `act` at world time `time`. */
  at(time: number, act: () => void): void {
    if (this.#world !== null) {
      this.#world.at(time, act);
      return;
    }
    if (this.#acts.length >= STEPS_MAX) {
      throw new RangeError(`the timeline takes more than ${STEPS_MAX} steps in this run: do it less often`);
    }
    this.#agenda.push(Math.max(time, this.#now), this.#acts.push(act) - 1);
    this.#entries.push(this.#entry);
  }

  /** The rehearsal: all acts up to `until`. An entry that fails is told once and leaves the stage. In a world: nothing. */
  rehearse(until: number, failed: (entry: number, error: unknown) => void): void {
    const gone = new Set<number>();
    while (this.#agenda.count > 0 && this.#agenda.time <= until) {
      this.#now = this.#agenda.time;
      const number = this.#agenda.pop();
      this.#entry = this.#entries[number]!;
      if (gone.has(this.#entry)) continue;
      try {
        this.#acts[number]!();
      } catch (error) {
        gone.add(this.#entry);
        failed(this.#entry, error);
      }
    }
  }

  /** Clients that are meant; in a rehearsal, those of them that it plays with. */
  #clientsNamed(glob: string): number[] {
    const matches = globMatcher(glob);
    const named = Array.from({ length: this.#options.clients }, (_, i) => i).filter((i) => matches(clientName(i)));
    if (named.length === 0 && !(glob === '*' && this.#options.clients === 0)) {
      const last = this.#options.clients - 1;
      const there = last < 0 ? 'there are none' : `there is client-0${last > 0 ? ` to client-${last}` : ''}`;
      throw new RangeError(`no client is called "${glob}"; ${there}`);
    }
    const played = this.#played;
    return played === null ? named : named.filter((client) => played.has(client));
  }

  #target(key: string, settings: LinkSettings, apply: (settings: LinkSettings) => void): Target {
    const known = this.#targets.get(key);
    if (known !== undefined) return known;
    let now = settings;
    const made: Target = {
      get settings() {
        return now;
      },
      lay: (changes) => {
        const next = overlay(now, changes);
        apply(next);
        now = next;
      },
    };
    this.#targets.set(key, made);
    return made;
  }
}
