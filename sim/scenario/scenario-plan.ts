/**
 * A scenario file as it will be run: what it says with what the command line says instead, checked as a whole.
 */

import type { DirectionOptions } from '../link/direction-options.ts';
import type { World } from '../world/world.ts';
import type { Expectation } from './expectations.ts';
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
  traceReader,
} from './link-settings.ts';
import { presetNamed } from './presets.ts';
import type { LinkEntry, TimelineEntry } from './scenario-schema.ts';
import { type Problem, ScenarioText } from './scenario-text.ts';
import { checkSource, openSource } from './source-plan.ts';
import { clientName, type Restart, Stage, type StageOptions, type Way } from './stage.ts';
import { globsNamed, playTimeline } from './timeline-plan.ts';

/** What takes the place of what a file says. */
export interface ScenarioOverrides {
  readonly clients?: number;
  readonly seconds?: number;
  readonly seed?: string;
  /** In place of `link`; `links` are laid over it all the same. */
  readonly preset?: string;
  /** Laid over `link`, both ways. */
  readonly changes?: SettingChanges;
}

/** What can be run, but for the game. */
export interface ScenarioPlan {
  readonly name: string | undefined;
  /** As the file has it. */
  readonly game: string | undefined;
  readonly clients: number;
  readonly seconds: number;
  readonly seed: string | number;
  readonly link: DirectionOptions;
  readonly down?: DirectionOptions;
  /** Sets up what is more than one link for all: links, lines, cross traffic, timeline. */
  readonly prepare: (world: World, restart?: Restart) => void;
  readonly expect: readonly Expectation[];
  /** Where an expectation stands: `storm.json:31`. */
  readonly placeOf: (expectation: number) => string;
}

const CLIENTS = 8;
const SECONDS = 60;
const SEED = '1';
const MICROS_PER_SECOND = 1_000_000;
const WAYS: readonly Way[] = ['up', 'down'];

/**
 * Reads a scenario: `text` of `file` (its name for messages), and `read` for the texts of files that it names.
 * Throws ScenarioFileError.
 */
export function readScenario(
  file: string,
  text: string,
  read: (name: string) => string,
  overrides: ScenarioOverrides = {},
): ScenarioPlan {
  const source = new ScenarioText(file, text);
  const { fields } = source;
  const clients = overrides.clients ?? fields.clients ?? CLIENTS;
  const seconds = overrides.seconds ?? fields.seconds ?? SECONDS;
  const links = new LinkPlan(source, clients, traceReader(read), overrides);
  const problems = [...links.problems];
  const sources = Object.entries(fields.sources ?? {});
  for (const [name, one] of sources) {
    problems.push(...checkSource(['sources', name], one, links.stage));
  }
  const timeline = fields.timeline ?? [];
  // Against settings that are wrong themselves, every step would fail once more.
  if (problems.length === 0) {
    const rehearsal = new Stage(links.stage, null, links.representatives(timeline));
    // Whoever asks for less time than the file is made for leaves out what comes later, and makes no mistake.
    const end = Math.max(seconds, fields.seconds ?? SECONDS) * MICROS_PER_SECOND;
    problems.push(...playTimeline(timeline, rehearsal, end));
  }
  if (problems.length > 0) source.fail(problems);
  return {
    name: fields.name,
    game: fields.game,
    clients,
    seconds,
    seed: overrides.seed ?? fields.seed ?? SEED,
    ...links.forAll(),
    prepare: (world, restart) => {
      links.configure(world);
      for (const [name, one] of sources) openSource(name, one, world, links.stage.traces);
      playTimeline(timeline, new Stage(links.stage, { world, restart }), seconds * MICROS_PER_SECOND);
    },
    expect: fields.expect ?? [],
    placeOf: (expectation) => source.at(['expect', expectation]),
  };
}

/** One of `links`. */
interface OwnLink {
  readonly glob: string;
  readonly matches: (name: string) => boolean;
  readonly entry: string | LinkEntry;
}

/** The links and lines of a file. */
class LinkPlan {
  readonly problems: Problem[] = [];
  readonly stage: StageOptions;
  readonly #clients: number;
  /** For all clients. */
  readonly #base: Readonly<Record<Way, LinkSettings>>;
  /** Up and down differ. */
  readonly #asymmetric: boolean;
  readonly #own: readonly OwnLink[];
  readonly #bottlenecks: ReadonlyMap<string, LinkSettings>;

  constructor(source: ScenarioText, clients: number, traces: TraceReader, overrides: ScenarioOverrides) {
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

  /** Lines, and links that are not as those of all. */
  configure(world: World): void {
    for (const name of this.#bottlenecks.keys()) this.#open(name, world);
    const stage = new Stage(this.stage, { world });
    for (let client = 0; client < this.#clients; client++) {
      for (const way of WAYS) {
        const settings = this.stage.settingsOf(client, way);
        if (settings !== this.#base[way] || settings.bottleneckName !== undefined) stage.link(client, way).lay({});
      }
    }
  }

  /** Clients of which every other one fares as one of them: which entries mean it is all that tells clients apart. */
  representatives(timeline: readonly TimelineEntry[]): ReadonlySet<number> {
    const globs = globsNamed(timeline).map(globMatcher);
    const first = new Map<string, number>();
    for (let client = 0; client < this.#clients; client++) {
      const name = clientName(client);
      const signature = `${this.#signature(client)}/${globs.map((matches) => (matches(name) ? 1 : 0)).join('')}`;
      if (!first.has(signature)) first.set(signature, client);
    }
    return new Set(first.values());
  }

  #open(name: string, world: World): void {
    const { rateBitsPerSecond, rateTrace } = this.#bottlenecks.get(name)!;
    world.bottleneck(name, rateTrace === undefined ? { rateBitsPerSecond: rateBitsPerSecond! } : { rateTrace });
    new Stage(this.stage, { world }).bottleneck(name).lay({});
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
    for (const client of this.representatives([])) {
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
