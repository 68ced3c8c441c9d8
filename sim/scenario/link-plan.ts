/** The links and shared lines of a scenario file: what each client's settings are, and their way onto a stage. */

import type { DirectionOptions } from '../link/direction-options.ts';
import { ClientKinds } from './client-kinds.ts';
import { globMatcher } from './host-glob.ts';
import type { LinkFields } from './link-schema.ts';
import {
  directionOptionsOf,
  inWordsOfTheFile,
  type LinkSettings,
  overlay,
  type SettingChanges,
  settingsOf,
  type TraceReader,
} from './link-settings.ts';
import { presetNamed } from './presets.ts';
import type { LinkEntry, TimelineEntry } from './scenario-schema.ts';
import type { Problem, ScenarioText } from './scenario-text.ts';
import type { Scene } from './scene.ts';
import { clientName, Stage, type StageOptions, type Way } from './stage.ts';
import { globsNamed } from './timeline-plan.ts';

const WAYS: readonly Way[] = ['up', 'down'];

/** What takes the place of what a file says of links. */
export interface LinkOverrides {
  /** In place of `link`; `links` are laid over it all the same. */
  readonly preset?: string;
  /** Laid over `link`, both ways. */
  readonly changes?: SettingChanges;
}

/** One of `links`. */
interface OwnLink {
  readonly glob: string;
  readonly matches: (name: string) => boolean;
  readonly entry: string | LinkEntry;
}

/** The links and lines. */
export class LinkPlan {
  readonly problems: Problem[] = [];
  readonly stage: StageOptions;
  readonly #clients: number;
  /** For all clients. */
  readonly #base: Readonly<Record<Way, LinkSettings>>;
  /** Up and down differ. */
  readonly #asymmetric: boolean;
  readonly #own: readonly OwnLink[];
  readonly #bottlenecks: ReadonlyMap<string, LinkSettings>;

  constructor(source: ScenarioText, clients: number, traces: TraceReader, overrides: LinkOverrides) {
    const { link = {}, links = {}, bottlenecks = {} } = source.fields;
    this.#clients = clients;
    this.#bottlenecks = new Map(
      Object.entries(bottlenecks).map(([name, line]) => [
        name,
        overlay({}, this.#try(['bottlenecks', name], () => settingsOf(line as LinkFields, traces)) ?? {}),
      ]),
    );
    const entry = overrides.preset === undefined ? link : overrides.preset;
    const changes = overrides.changes ?? {};
    const base = (way: Way) => overlay(this.#settings({}, entry, way, ['link'], traces), changes);
    this.#base = { up: base('up'), down: base('down') };
    this.#asymmetric = typeof entry === 'string' || entry.preset !== undefined || !same(this.#base.up, this.#base.down);
    this.#own = Object.entries(links).map(([glob, entry]) => ({ glob, matches: globMatcher(glob), entry }));
    const known = new Map<string, LinkSettings>();
    this.stage = {
      clients,
      traces,
      bottlenecks: this.#bottlenecks,
      settingsOf: (client, way) => {
        const key = `${way}/${this.#signature(client)}`;
        const settings = known.get(key) ?? this.#settingsOf(client, way);
        known.set(key, settings);
        return settings;
      },
    };
    this.#check();
  }

  /** The options of all clients: what a command line would say. Links over shared lines are set up in the world. */
  forAll(): { readonly link: DirectionOptions; readonly down?: DirectionOptions } {
    const options = (way: Way): DirectionOptions =>
      this.#base[way].bottleneckName === undefined ? directionOptionsOf(this.#base[way], () => null) : {};
    return { link: options('up'), ...(this.#asymmetric ? { down: options('down') } : {}) };
  }

  /** Sets up lines, and links that are not as those of all, before anything of the timeline: of each client, or of each kind. */
  configure(stage: Stage, scene: Scene, clients: Iterable<number>): void {
    for (const [name, { rateBitsPerSecond, rateTrace }] of this.#bottlenecks) {
      scene.addBottleneck(name, rateTrace === undefined ? { rateBitsPerSecond: rateBitsPerSecond! } : { rateTrace });
      stage.bottleneck(name).lay({});
    }
    for (const client of clients) {
      for (const way of WAYS) {
        const settings = this.stage.settingsOf(client, way);
        if (settings !== this.#base[way] || settings.bottleneckName !== undefined) stage.link(client, way).lay({});
      }
    }
  }

  /** The kinds that `links` and the timeline make of the first `clients`. */
  kinds(timeline: readonly TimelineEntry[], clients: number): ClientKinds {
    return new ClientKinds([...this.#own.map(({ glob }) => glob), ...globsNamed(timeline)], clients);
  }

  /** Which of the file's `links` mean a client. */
  #signature(client: number): string {
    return this.#own.map(({ matches }) => (matches(clientName(client)) ? 1 : 0)).join('');
  }

  #settingsOf(client: number, way: Way): LinkSettings {
    return this.#ownOf(client).reduce<LinkSettings>(
      (settings, { glob, entry }) => this.#settings(settings, entry, way, ['links', glob], this.stage.traces),
      this.#base[way],
    );
  }

  #ownOf(client: number): OwnLink[] {
    return this.#own.filter(({ matches }) => matches(clientName(client)));
  }

  /** An entry laid over `settings`; with a preset, over that. */
  #settings(
    settings: LinkSettings,
    entry: string | LinkEntry,
    way: Way,
    path: Problem['path'],
    traces: TraceReader,
  ): LinkSettings {
    const { preset, up, down, ...common } = typeof entry === 'string' ? ({ preset: entry } as LinkEntry) : entry;
    const own = way === 'up' ? up : down;
    const start = preset === undefined ? settings : presetNamed(preset)![way];
    const changes = (fields: LinkFields, at: Problem['path']) => this.#try(at, () => settingsOf(fields, traces)) ?? {};
    return overlay(overlay(start, changes(common, path)), changes(own ?? {}, [...path, way]));
  }

  /** Every line, the link of all, and the links of clients that have others. */
  #check(): void {
    const stage = new Stage(this.stage, null);
    for (const name of this.#bottlenecks.keys()) this.#try(['bottlenecks', name], () => stage.bottleneck(name).lay({}));
    const base = new Stage({ ...this.stage, settingsOf: (_, way) => this.#base[way] }, null);
    for (const way of this.#asymmetric ? WAYS : (['up'] as const)) this.#try(['link'], () => base.link(0, way).lay({}));
    if (this.problems.length > 0) return;
    for (const { glob } of this.#own) this.#try(['links', glob], () => stage.links(glob, 'up'));
    for (const client of this.kinds([], this.#clients).first) {
      const last = this.#ownOf(client).at(-1);
      if (last === undefined) continue;
      for (const way of WAYS) this.#try(['links', last.glob], () => stage.link(client, way).lay({}));
    }
  }

  #try<T>(path: Problem['path'], act: () => T): T | null {
    try {
      return act();
    } catch (error) {
      this.problems.push({ path, message: inWordsOfTheFile(error) });
      return null;
    }
  }
}

/** Whether two ways have the same settings, in whatever order they were given. */
function same(a: LinkSettings, b: LinkSettings): boolean {
  const names = Object.keys(a) as (keyof LinkSettings)[];
  return (
    names.length === Object.keys(b).length &&
    names.every((name) => a[name] === b[name] || JSON.stringify(a[name]) === JSON.stringify(b[name]))
  );
}
