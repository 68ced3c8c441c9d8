/**
 * What a timeline of a scenario file can do: one entry each in ACTIONS, with the fields that it has in the file and what it
 * does. Faults are in `fault-actions.ts`. A new kind of event is a new entry here and a row in sim/README.md.
 */

import { z } from 'zod';
import { FAULT_ACTIONS } from './fault-actions.ts';
import { LINK_SHAPE, type LinkFields, linkFields } from './link-schema.ts';
import { type SettingChanges, type SettingName, settingsOf } from './link-settings.ts';
import type { Stage, Target } from './stage.ts';
import { action, globsOf, type Hosts, hostGlob, hosts, type TimelineAction } from './timeline-action.ts';
import { duration, fields, oneOf, rate, type Shape, share } from './unit-schemas.ts';

/** Ramps move in steps of this unless they say otherwise: finer than a player notices. */
const STEP_MICROS = 100_000;
const DAY_MICROS = 86_400_000_000;
/** A step a millisecond is as fine as a ramp gets. */
const STEP_MICROS_MIN = 1_000;

/** Which links, or which bottleneck. */
interface Where {
  readonly link?: string;
  readonly direction?: 'up' | 'down' | 'both';
  readonly bottleneck?: string;
}

const WHERE: Shape = {
  link: hostGlob.optional().describe('clients whose links are meant; all by default'),
  direction: oneOf(['up', 'down', 'both']).optional(),
  bottleneck: z.string().optional().describe('a bottleneck of this file in place of links'),
};

/** Whose links; of a line, nobody's in particular. */
const linksNamed = ({ link = '*' }: Where): readonly string[] => [link];

function targetsOf(stage: Stage, where: Where): Target[] {
  if (where.bottleneck === undefined) return stage.links(where.link ?? '*', where.direction ?? 'both');
  if (where.link !== undefined || where.direction !== undefined) {
    throw new RangeError('give bottleneck, or link and direction, not both');
  }
  return [stage.bottleneck(where.bottleneck)];
}

/** Changes only what it names, at once. */
const set = action<Where & { readonly set: LinkFields }>({ set: linkFields, ...WHERE }, linksNamed, (stage, entry) => {
  const changes = settingsOf(entry.set, stage.traces);
  for (const target of targetsOf(stage, entry)) target.lay(changes);
});

/** What has a number that can move, and where it begins when it was not set. Those without a beginning must be set. */
const RAMPED: Readonly<Record<string, { readonly schema: z.ZodType; readonly from?: number }>> = {
  latency: { schema: LINK_SHAPE.latency!, from: 0 },
  jitter: { schema: LINK_SHAPE.jitter!, from: 0 },
  rate: { schema: rate() },
  loss: { schema: share(), from: 0 },
  corrupt: { schema: share(), from: 0 },
  reorder: { schema: share(), from: 0 },
  duplicate: { schema: share(), from: 0 },
};

interface Ramp extends Where {
  readonly ramp: Readonly<Record<string, number>>;
  readonly over: number;
  readonly step?: number;
}

/** Moves numbers from what they are to what is given, in equal steps of time. */
const ramp = action<Ramp>(
  {
    ramp: fields<object>(
      Object.fromEntries(Object.entries(RAMPED).map(([name, { schema }]) => [name, schema.optional()])),
    ),
    over: duration(STEP_MICROS_MIN, DAY_MICROS, '4s').describe('how long it takes'),
    step: duration(STEP_MICROS_MIN, DAY_MICROS, '100ms')
      .optional()
      .describe('time between two steps; 100ms by default'),
    ...WHERE,
  },
  linksNamed,
  (stage, entry) => {
    const { over, step = STEP_MICROS } = entry;
    const begin = stage.now;
    const slopes = targetsOf(stage, entry).map((target) => ({ target, from: beginOf(target, entry.ramp) }));
    const goal = settingsOf(entry.ramp, stage.traces);
    let passed = 0;
    const move = (): void => {
      passed = Math.min(passed + step, over);
      for (const { target, from } of slopes) target.lay(between(from, goal, passed / over));
      if (passed < over) stage.at(begin + Math.min(passed + step, over), move);
    };
    stage.at(begin + Math.min(step, over), move);
  },
);

/** Where a target's numbers begin. */
function beginOf(target: Target, ramp: Ramp['ramp']): Readonly<Record<string, number>> {
  const from: Record<string, number> = {};
  for (const field of Object.keys(ramp)) {
    const [name] = Object.keys(settingsOf({ [field]: ramp[field] }, () => [])) as [SettingName];
    const now = target.settings[name] ?? RAMPED[field]!.from;
    if (typeof now !== 'number') {
      throw new RangeError(
        now === undefined
          ? `${field} is not set when the ramp begins: set it before`
          : `${field} is a model when the ramp begins: a ramp goes from number to number`,
      );
    }
    from[name] = now;
  }
  return from;
}

/** Each number so far on its way. What counts in whole units is rounded; shares are not. */
function between(from: Readonly<Record<string, number>>, goal: SettingChanges, part: number): SettingChanges {
  const changes: Record<string, number> = {};
  for (const [name, begin] of Object.entries(from)) {
    const end = goal[name as SettingName] as number;
    const value = part === 1 ? end : begin + (end - begin) * part;
    changes[name] = /Micros|PerSecond/.test(name) ? Math.round(value) : value;
  }
  return changes;
}

/** The NAT in front of hosts forgets them. */
const rebind = action<{ readonly rebind: Hosts; readonly address?: boolean }>(
  { rebind: hosts, address: z.boolean().optional().describe('the outside address changes too, not only the port') },
  ({ rebind }) => globsOf(rebind),
  (stage, { rebind, address = false }) =>
    stage.eachNat(globsOf(rebind), (scene, host) => scene.rebind(host, { address })),
);

/** By name. */
export const ACTIONS: Readonly<Record<string, TimelineAction>> = { set, ramp, rebind, ...FAULT_ACTIONS };
