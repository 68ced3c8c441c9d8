/**
 * A scenario file as it will be run: what it says with what the command line says instead, checked as a whole.
 */

import type { DirectionOptions } from '../link/direction-options.ts';
import type { World } from '../world/world.ts';
import type { Expectation } from './expectations.ts';
import { type LinkOverrides, LinkPlan } from './link-plan.ts';
import { traceReader } from './link-settings.ts';
import type { ScenarioFields } from './scenario-schema.ts';
import { type Problem, ScenarioText } from './scenario-text.ts';
import type { Restart } from './scene.ts';
import { checkSource, openSource } from './source-plan.ts';
import { Stage } from './stage.ts';
import { playTimeline } from './timeline-plan.ts';
import { WorldScene } from './world-scene.ts';

/** What takes the place of what a file says. */
export interface ScenarioOverrides extends LinkOverrides {
  readonly clients?: number;
  readonly seconds?: number;
  readonly seed?: string;
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

/** A scenario file whose links and timeline can be. */
export interface CheckedScenario {
  readonly source: ScenarioText;
  readonly links: LinkPlan;
  readonly clients: number;
  readonly seconds: number;
  readonly seed: string | number;
  /** How long the timeline plays. */
  readonly untilMicros: number;
}

/**
 * Reads a scenario: `text` of `file` (its name for messages), and `read` for the texts of files that it names.
 * Throws ScenarioFileError.
 *
 * @param more finds what else cannot be, where it is to be played
 */
export function checkedScenario(
  file: string,
  text: string,
  read: (name: string) => string,
  overrides: ScenarioOverrides,
  more: (fields: ScenarioFields) => readonly Problem[] = () => [],
): CheckedScenario {
  const source = new ScenarioText(file, text);
  const { fields } = source;
  const clients = overrides.clients ?? fields.clients ?? CLIENTS;
  const seconds = overrides.seconds ?? fields.seconds ?? SECONDS;
  const links = new LinkPlan(source, clients, traceReader(read), overrides);
  const problems = [...links.problems, ...more(fields)];
  for (const [name, one] of Object.entries(fields.sources ?? {})) {
    problems.push(...checkSource(['sources', name], one, links.stage));
  }
  // Against settings that are wrong themselves, every step would fail once more.
  if (problems.length === 0) {
    const { timeline = [] } = fields;
    const rehearsal = new Stage(links.stage, null, new Set(links.kinds(timeline, clients).first));
    // Whoever asks for less time than the file is made for leaves out what comes later, and makes no mistake.
    const end = Math.max(seconds, fields.seconds ?? SECONDS) * MICROS_PER_SECOND;
    problems.push(...playTimeline(timeline, rehearsal, end));
  }
  if (problems.length > 0) source.fail(problems);
  const seed = overrides.seed ?? fields.seed ?? SEED;
  return { source, links, clients, seconds, seed, untilMicros: seconds * MICROS_PER_SECOND };
}

/** As `checkedScenario`, for a simulated run. */
export function readScenario(
  file: string,
  text: string,
  read: (name: string) => string,
  overrides: ScenarioOverrides = {},
): ScenarioPlan {
  const { source, links, clients, seconds, seed, untilMicros } = checkedScenario(file, text, read, overrides);
  const { name, game, sources = {}, timeline = [], expect = [] } = source.fields;
  return {
    name,
    game,
    clients,
    seconds,
    seed,
    ...links.forAll(),
    prepare: (world, restart) => {
      const scene = new WorldScene(world, restart);
      const stage = new Stage(links.stage, scene);
      links.configure(stage, scene, Array(clients).keys());
      const directionOf = (from: string, to: string) => scene.way(from, to);
      for (const [name, one] of Object.entries(sources)) {
        openSource(name, one, scene, links.stage.traces, directionOf);
      }
      playTimeline(timeline, stage, untilMicros);
    },
    expect,
    placeOf: (expectation) => source.at(['expect', expectation]),
  };
}
