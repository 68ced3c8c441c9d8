/**
 * A scenario file as a proxy plays it: links, lines, cross traffic and what a timeline does to them and to NATs. What is done to hosts is not for a
 * proxy, whose hosts are real.
 */

import type { DirectionOptions } from '../link/direction-options.ts';
import type { ProxyScenario } from '../proxy/proxy-scene.ts';
import type { LinkOverrides } from './link-plan.ts';
import { checkedScenario } from './scenario-plan.ts';
import { CLIENTS_MAX, type ScenarioFields } from './scenario-schema.ts';
import type { Problem } from './scenario-text.ts';
import { isOverClient, openSource } from './source-plan.ts';
import { SERVER, Stage } from './stage.ts';
import { globsOf, type Hosts } from './timeline-action.ts';
import { actionNameOf, playTimeline } from './timeline-plan.ts';

/** Actions for which links and NATs are enough. */
const NETWORK_ACTIONS: ReadonlySet<string> = new Set([
  'set',
  'ramp',
  'rebind',
  'cut',
  'mend',
  'hold',
  'release',
  'partition',
  'heal',
  'natTimeout',
]);

/** What takes the place of what a file says. */
export interface ProxyOverrides extends LinkOverrides {
  /** Clients that the file can name. */
  readonly clients: number | undefined;
  readonly seed: string | undefined;
}

/** What a proxy is told. */
export interface ProxyPlan {
  readonly seed: string | number;
  readonly link: DirectionOptions;
  readonly down?: DirectionOptions;
  readonly scenario: ProxyScenario;
  /** The file expects something, which is for `sim run` to look at. */
  readonly expects: boolean;
}

/** As `readScenario`; throws ScenarioFileError also for what only a simulated run can do. */
export function readProxyScenario(
  file: string,
  text: string,
  read: (name: string) => string,
  { clients, seed, ...overrides }: ProxyOverrides,
): ProxyPlan {
  const given = {
    ...overrides,
    ...(clients === undefined ? {} : { clients }),
    ...(seed === undefined ? {} : { seed }),
  };
  const checked = checkedScenario(file, text, read, given, problemsOfProxy);
  const { links, untilMicros, source } = checked;
  const { sources = {}, timeline = [], expect = [] } = source.fields;
  const kinds = links.kinds(timeline, CLIENTS_MAX);
  return {
    seed: checked.seed,
    ...links.forAll(),
    scenario: {
      kinds,
      open: (scene) => {
        // However many clients the file speaks of: there may come more.
        const stage = new Stage({ ...links.stage, clients: CLIENTS_MAX }, scene, new Set(kinds.first));
        links.configure(stage, scene, kinds.first);
        return () => {
          for (const [name, one] of Object.entries(sources)) {
            openSource(name, one, scene, links.stage.traces, noDirection);
          }
          playTimeline(timeline, stage, untilMicros);
        };
      },
    },
    expects: expect.length > 0,
  };
}

/** Such a source was refused. */
function noDirection(from: string, to: string): never {
  throw new Error(`no source of a proxy is over ${from}>${to}`);
}

/** What a file asks for that no proxy can do. */
function problemsOfProxy({ sources = {}, timeline = [] }: ScenarioFields): Problem[] {
  const problems: Problem[] = Object.entries(sources)
    .filter(([, source]) => isOverClient(source))
    .map(([name]) => ({
      path: ['sources', name, 'over'],
      message: 'clients of a proxy come and go: give a bottleneck, or fields of a link of its own',
    }));
  for (const [index, entry] of timeline.entries()) {
    const name = actionNameOf(entry);
    const say = (field: string, message: string) => problems.push({ path: ['timeline', index, field], message });
    if (!NETWORK_ACTIONS.has(name)) {
      say(name, 'needs simulated hosts, and those of a proxy are real: leave it out, or use sim run');
      continue;
    }
    const { rebind, address, natTimeout, host, partition, heal, others = SERVER } = entry as HostFields;
    const isServer = (hosts: Hosts | undefined): boolean => hosts !== undefined && globsOf(hosts).includes(SERVER);
    if (isServer(rebind)) say('rebind', 'a proxy has NATs before clients only: name clients');
    if (address === true) say('address', 'a proxy has one address: leave it out, the port changes');
    if (natTimeout !== undefined && isServer(host)) say('host', 'a proxy has NATs before clients only: name clients');
    const side = partition ?? heal;
    if (side !== undefined && !isServer(side) && !isServer(others)) {
      say('others', 'a proxy has no links between clients: one side has "server" in it');
    }
  }
  return problems;
}

/** Fields by which some actions name hosts. */
interface HostFields {
  readonly rebind?: Hosts;
  readonly address?: boolean;
  readonly natTimeout?: number | null;
  readonly host?: Hosts;
  readonly partition?: Hosts;
  readonly heal?: Hosts;
  readonly others?: Hosts;
}
