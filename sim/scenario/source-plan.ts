/** Cross traffic of a scenario file. */

import type { AimdOptions } from '../link/aimd-source.ts';
import { checkDirection, type DirectionOptions } from '../link/direction-options.ts';
import type { LinkDirection } from '../link/link.ts';
import { given, type LinkFields } from './link-schema.ts';
import { directionOptionsOf, inWordsOfTheFile, overlay, settingsOf, type TraceReader } from './link-settings.ts';
import type { SourceFields } from './scenario-schema.ts';
import type { Problem } from './scenario-text.ts';
import type { Scene } from './scene.ts';
import { clientName, SERVER, type StageOptions } from './stage.ts';

/** What is wrong with a source, as far as it can be told without a world. */
export function checkSource(path: Problem['path'], source: SourceFields, stage: StageOptions): Problem[] {
  const { over, start = 0, stop, on, off } = source;
  const problems: Problem[] = [];
  const say = (message: string, ...more: string[]) => problems.push({ path: [...path, ...more], message });
  if (stop !== undefined && stop < start) say('is before the start', 'stop');
  if ((on === undefined) !== (off === undefined)) say('give both "on" and "off", or neither');
  if (typeof over === 'string') {
    if (!stage.bottlenecks.has(over) && !isDirection(over, stage.clients)) {
      const names = [...stage.bottlenecks.keys()];
      say(
        `give one of the bottlenecks${names.length > 0 ? ` (${names.join(', ')})` : ''}, or a direction of this run`,
        'over',
      );
    }
  } else {
    try {
      const settings = overlay({}, settingsOf(over, stage.traces));
      const { bottleneckName } = settings;
      if (bottleneckName !== undefined && !stage.bottlenecks.has(bottleneckName)) {
        throw new RangeError(`there is no bottleneck "${bottleneckName}"`);
      }
      checkDirection(
        'link',
        directionOptionsOf(settings, () => null),
      );
    } catch (error) {
      say(inWordsOfTheFile(error), 'over');
    }
  }
  return problems;
}

/** Whether a source shares the way of a client. */
export function isOverClient({ over }: SourceFields): boolean {
  return typeof over === 'string' && over.includes('>');
}

/** Makes it. A direction that it names is taken from `directionOf`. */
export function openSource(
  name: string,
  source: SourceFields,
  scene: Scene,
  traces: TraceReader,
  directionOf: (from: string, to: string) => LinkDirection,
): void {
  const { type, rtt, rate, packet, on, off, start, stop } = source;
  const options = given({ packetBytes: packet, startMicros: start, stopMicros: stop });
  const over = wayOf(source.over, scene, traces, directionOf);
  if (type === 'aimd') scene.addAimdSource(name, { over, rttMicros: rtt!, ...options } as AimdOptions);
  else {
    scene.addCbrSource(name, {
      over,
      rateBitsPerSecond: rate!,
      ...options,
      ...given({ onMicros: on, offMicros: off }),
    });
  }
}

function wayOf(
  over: string | LinkFields,
  scene: Scene,
  traces: TraceReader,
  directionOf: (from: string, to: string) => LinkDirection,
): LinkDirection | DirectionOptions {
  if (typeof over !== 'string') {
    return directionOptionsOf(overlay({}, settingsOf(over, traces)), (name) => scene.bottleneckNamed(name));
  }
  const bottleneck = scene.bottleneckNamed(over);
  if (bottleneck !== null) return { bottleneck };
  const [from, to] = over.split('>') as [string, string];
  return directionOf(from, to);
}

/** `client-0>server` or `server>client-0`. */
function isDirection(text: string, clients: number): boolean {
  const [from = '', to = '', ...more] = text.split('>');
  const client = from === SERVER ? to : from;
  const number = Number(/^client-(\d+)$/.exec(client)?.[1] ?? clients);
  return more.length === 0 && [from, to].includes(SERVER) && number < clients && clientName(number) === client;
}
