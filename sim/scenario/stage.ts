/**
 * Where a timeline plays: the links, bottlenecks and hosts of a scenario file with the settings that they have now.
 *
 * It plays twice. In the rehearsal, before anything runs, there is no scene: settings are laid one over another and checked,
 * so that a step that cannot be is found at once and not an hour later. Then in the scene, at its time.
 */

import { checkBottleneck } from '../link/bottleneck-options.ts';
import { checkDirection } from '../link/direction-options.ts';
import { EventQueue } from '../world/event-queue.ts';
import type { SimHost } from '../world/host.ts';
import { Spells } from '../world/spells.ts';
import { globMatcher } from './host-glob.ts';
import {
  bottleneckOptionsOf,
  directionOptionsOf,
  type LinkSettings,
  overlay,
  type SettingChanges,
  type TraceReader,
} from './link-settings.ts';
import type { PlayedWay, Scene } from './scene.ts';

export type Way = 'up' | 'down';

/** One way between two hosts. */
export interface HostWay {
  /** `client-0>server` */
  readonly name: string;
  /** Null in a rehearsal. */
  readonly link: PlayedWay | null;
}

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
/** Pairs of hosts that one partition parts: a hundred clients from a thousand others, or all from the server. */
const PAIRS_MAX = 100_000;
export const SERVER = 'server';

/** The name of a client's host, as `runScenario` names it. */
export function clientName(client: number): string {
  return `client-${client}`;
}

export class Stage {
  readonly traces: TraceReader;
  readonly #options: StageOptions;
  /** How long what was begun on links and hosts lasts. */
  readonly spells: Spells = new Spells();
  readonly #scene: Scene | null;
  /** Clients that it plays with, where others fare as one of them. */
  readonly #played: ReadonlySet<number> | null;
  /** By pattern: the clients that it means, and those of them that this stage plays with. */
  readonly #named: Map<string, readonly number[]> = new Map();
  readonly #meant: Map<string, readonly number[]> = new Map();
  /** Hosts that have crashed. */
  readonly #down: Set<string> = new Set();
  readonly #targets: Map<string, Target> = new Map();
  /** The rehearsal's agenda. */
  readonly #agenda: EventQueue = new EventQueue();
  readonly #acts: (() => void)[] = [];
  /** The entry of the timeline that each of them is of. */
  readonly #entries: number[] = [];
  #entry = 0;
  #now = 0;

  /** In a scene; or, with null, a rehearsal. With those clients, where others fare as one of them. */
  constructor(options: StageOptions, scene: Scene | null, played: ReadonlySet<number> | null = null) {
    this.traces = options.traces;
    this.#options = options;
    this.#scene = scene;
    this.#played = played;
  }

  /** Time of the scene. */
  get now(): number {
    return this.#scene?.now ?? this.#now;
  }

  /** The links of the clients that are meant. */
  links(glob: string, direction: Way | 'both'): Target[] {
    const ways: readonly Way[] = direction === 'both' ? ['up', 'down'] : [direction];
    const clients = this.#clientsMeant(glob);
    return clients.flatMap((client) => ways.map((way) => this.link(client, way)));
  }

  /** One way of a client's link. */
  link(client: number, way: Way): Target {
    return this.#target(`${way}/${client}`, this.#options.settingsOf(client, way), (settings) => {
      const scene = this.#scene;
      if (settings.bottleneckName !== undefined) this.bottleneck(settings.bottleneckName);
      const options = directionOptionsOf(settings, (name) => scene?.bottleneckNamed(name) ?? null);
      const host = clientName(client);
      if (scene === null) checkDirection('link', options);
      else (way === 'up' ? scene.way(host, SERVER) : scene.way(SERVER, host))!.configure(options);
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
      if (this.#scene === null) checkBottleneck('bottleneck', options);
      else this.#scene.bottleneckNamed(name)!.configure(options);
    });
  }

  /**
   * Does something to every simulated host that is meant: the server by its name, clients by a pattern too. A rehearsal only
   * finds out whether there is one.
   */
  eachHost(globs: readonly string[], act: (host: SimHost) => void): void {
    const names = this.hosts(globs);
    if (this.#scene !== null) for (const name of names) act(this.#simulated(name));
  }

  /** As `eachHost`, to what stands before hosts, wherever they are. */
  eachNat(globs: readonly string[], act: (scene: Scene, host: string) => void): void {
    const names = this.hosts(globs);
    if (this.#scene !== null) for (const name of names) act(this.#scene, name);
  }

  #simulated(name: string): SimHost {
    return this.#scene!.hosts!.world.hostNamed(name)!;
  }

  /** The names of the hosts that are meant, each once; in a rehearsal, of those that it plays with. */
  hosts(globs: readonly string[]): string[] {
    const names = globs.flatMap((glob) => (glob === SERVER ? [SERVER] : this.#clientsMeant(glob).map(clientName)));
    return [...new Set(names)];
  }

  /** The ways between the server and the clients that are meant. */
  ways(globs: readonly string[], direction: Way | 'both'): HostWay[] {
    if (globs.includes(SERVER)) throw new RangeError('name clients: a link is between one of them and the server');
    return this.hosts(globs).flatMap((client) => {
      const ways: HostWay[] = [];
      if (direction !== 'down') ways.push(this.#way(client, SERVER));
      if (direction !== 'up') ways.push(this.#way(SERVER, client));
      return ways;
    });
  }

  /** The ways from hosts to others, and unless it is one way back. Throws RangeError when a host is on both sides. */
  across(a: readonly string[], b: readonly string[], oneWay: boolean): HostWay[] {
    const [those, others] = [this.hosts(a), this.hosts(b)];
    const both = those.find((name) => others.includes(name));
    if (both !== undefined) throw new RangeError(`${both} is on both sides`);
    const [here, there] = [this.#count(a), this.#count(b)];
    if (this.#scene === null && here * there > PAIRS_MAX) {
      throw new RangeError(`${here} hosts and ${there} others: give at most ${PAIRS_MAX} pairs`);
    }
    return those.flatMap((from) =>
      others.flatMap((to) => (oneWay ? [this.#way(from, to)] : [this.#way(from, to), this.#way(to, from)])),
    );
  }

  /** Hosts that are meant, whether a rehearsal plays with them or not; one that is named twice counts twice. */
  #count(globs: readonly string[]): number {
    return globs.reduce((sum, glob) => sum + (glob === SERVER ? 1 : this.#clientsNamed(glob).length), 0);
  }

  #way(from: string, to: string): HostWay {
    return { name: `${from}>${to}`, link: this.#scene?.way(from, to) ?? null };
  }

  isDown(name: string): boolean {
    return this.#down.has(name);
  }

  /** Throws RangeError when it has crashed already. */
  crash(name: string): void {
    if (this.#down.has(name)) throw new RangeError(`${name} has crashed already: restart it before`);
    this.#down.add(name);
    this.#scene?.hosts?.world.crash(this.#simulated(name));
  }

  /** Throws RangeError when it has not crashed. */
  restart(name: string): void {
    if (!this.#down.delete(name)) throw new RangeError(`${name} has not crashed when it is to be started again`);
    if (this.#scene === null) return;
    const restart = this.#scene.hosts?.restart;
    if (restart === undefined) throw new Error(`nothing is known of the code of ${name}: give prepare() a restart`);
    restart(this.#simulated(name));
  }

  /** What is put on the stage from here is of this entry of the timeline. */
  enter(entry: number): void {
    this.#entry = entry;
  }

  /** Does `act` at time `time` of the scene. */
  at(time: number, act: () => void): void {
    if (this.#scene !== null) {
      this.#scene.at(time, act);
      return;
    }
    if (this.#acts.length >= STEPS_MAX) {
      throw new RangeError(`the timeline takes more than ${STEPS_MAX} steps in this run: do it less often`);
    }
    this.#agenda.push(Math.max(time, this.#now), this.#acts.push(act) - 1);
    this.#entries.push(this.#entry);
  }

  /** The rehearsal: all acts up to `until`. An entry that fails is told once and leaves the stage. In a scene: nothing. */
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

  /** Clients that are meant; those of them that it plays with. */
  #clientsMeant(glob: string): readonly number[] {
    const played = this.#played;
    if (played === null) return this.#clientsNamed(glob);
    const meant = this.#meant.get(glob) ?? this.#clientsNamed(glob).filter((client) => played.has(client));
    this.#meant.set(glob, meant);
    return meant;
  }

  #clientsNamed(glob: string): readonly number[] {
    const known = this.#named.get(glob);
    if (known !== undefined) return known;
    const matches = globMatcher(glob);
    const named = Array.from({ length: this.#options.clients }, (_, i) => i).filter((i) => matches(clientName(i)));
    if (named.length === 0 && !(glob === '*' && this.#options.clients === 0)) {
      const last = this.#options.clients - 1;
      const there = last < 0 ? 'there are none' : `there is client-0${last > 0 ? ` to client-${last}` : ''}`;
      throw new RangeError(`no client is called "${glob}"; ${there}`);
    }
    this.#named.set(glob, named);
    return named;
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
