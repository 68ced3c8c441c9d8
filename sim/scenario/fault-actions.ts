/**
 * The faults of the world as actions of a timeline (sim/README.md, "Faults"): what is done to links, NATs, hosts, their
 * sockets and their clocks. What lasts `for` a time ends by itself.
 */

import { z } from 'zod';
import { NEVER } from '../../sys/api.ts';
import { COST_NANOS_MAX } from '../world/cpu.ts';
import { PAUSE_MICROS_MAX, RECEIVE_BUFFER_BYTES_MAX, RECEIVE_BUFFER_BYTES_MIN } from '../world/host.ts';
import { DRIFT_PPM_MAX, STEP_MICROS_MAX } from '../world/host-clock.ts';
import { TIMEOUT_MICROS_MAX } from '../world/nat.ts';
import { SEND_ERRORS, type SendError, SPAN_MICROS_MAX, TIMES_MAX } from '../world/socket-faults.ts';
import { given } from './link-schema.ts';
import { type HostWay, SERVER, type Stage, type Way } from './stage.ts';
import { action, globsOf, type Hosts, hosts, type TimelineAction } from './timeline-action.ts';
import { cost, drift as driftPpm, duration, fields, oneOf, type Shape, size, whole } from './unit-schemas.ts';

/** Two days: what lasts longer is ended by an entry of its own. */
const LASTS_MICROS_MAX = 2 * 86_400_000_000;
const LASTS = duration(1, LASTS_MICROS_MAX, '2s');
const direction = oneOf(['up', 'down', 'both']);

interface OnLinks {
  readonly direction?: Way | 'both';
  readonly for?: number;
}

const ON_LINKS: Shape = { direction: direction.optional().describe('both by default') };
const FOR: Shape = { for: LASTS.optional().describe('ends by itself after so long') };

/** Begins something on ways and, after a time if one is given, ends it where nothing that overlaps lasts longer. */
function begin(
  stage: Stage,
  what: 'cut' | 'hold',
  ways: readonly HostWay[],
  lastsMicros: number | undefined,
  undo: (way: HostWay) => void,
): void {
  const until = lastsMicros === undefined ? Number.POSITIVE_INFINITY : stage.now + lastsMicros;
  for (const { name, link } of ways) {
    stage.spells.extend(`${what} ${name}`, until);
    link?.[what]();
  }
  if (lastsMicros === undefined) return;
  stage.at(until, () => {
    for (const way of ways) if (stage.spells.isOver(`${what} ${way.name}`, until)) undo(way);
  });
}

function mendWay(stage: Stage, { name, link }: HostWay): void {
  stage.spells.end(`cut ${name}`);
  link?.mend();
}

function releaseWay(stage: Stage, { name, link }: HostWay): void {
  stage.spells.end(`hold ${name}`);
  link?.release();
}

const cut = action<OnLinks & { readonly cut: Hosts }>(
  { cut: hosts.describe('clients: nothing enters their links'), ...ON_LINKS, ...FOR },
  ({ cut }) => globsOf(cut),
  (stage, { cut, direction = 'both', for: lasts }) =>
    begin(stage, 'cut', stage.ways(globsOf(cut), direction), lasts, (way) => mendWay(stage, way)),
);

const mend = action<OnLinks & { readonly mend: Hosts }>(
  { mend: hosts.describe('clients: undoes cut, and partition from the server'), ...ON_LINKS },
  ({ mend }) => globsOf(mend),
  (stage, { mend, direction = 'both' }) => {
    for (const way of stage.ways(globsOf(mend), direction)) mendWay(stage, way);
  },
);

const hold = action<OnLinks & { readonly hold: Hosts }>(
  { hold: hosts.describe('clients: what would arrive waits, and comes all at once'), ...ON_LINKS, ...FOR },
  ({ hold }) => globsOf(hold),
  (stage, { hold, direction = 'both', for: lasts }) =>
    begin(stage, 'hold', stage.ways(globsOf(hold), direction), lasts, (way) => releaseWay(stage, way)),
);

const release = action<OnLinks & { readonly release: Hosts }>(
  { release: hosts.describe('clients: undoes hold'), ...ON_LINKS },
  ({ release }) => globsOf(release),
  (stage, { release, direction = 'both' }) => {
    for (const way of stage.ways(globsOf(release), direction)) releaseWay(stage, way);
  },
);

interface Sides {
  readonly others?: Hosts;
  readonly oneWay?: boolean;
  readonly for?: number;
}

const OTHERS: Shape = { others: hosts.optional().describe('hosts on the other side; the server by default') };

const partition = action<Sides & { readonly partition: Hosts }>(
  {
    partition: hosts.describe('hosts: nothing passes between them and `others`'),
    ...OTHERS,
    oneWay: z.boolean({ error: 'give true or false' }).optional().describe('only what they send is cut'),
    ...FOR,
  },
  ({ partition, others = SERVER }) => [...globsOf(partition), ...globsOf(others)],
  (stage, { partition, others = SERVER, oneWay = false, for: lasts }) =>
    begin(stage, 'cut', stage.across(globsOf(partition), globsOf(others), oneWay), lasts, (way) => mendWay(stage, way)),
);

const heal = action<Sides & { readonly heal: Hosts }>(
  { heal: hosts.describe('hosts: undoes partition and cut'), ...OTHERS },
  ({ heal, others = SERVER }) => [...globsOf(heal), ...globsOf(others)],
  (stage, { heal, others = SERVER }) => {
    for (const way of stage.across(globsOf(heal), globsOf(others), false)) mendWay(stage, way);
  },
);

const pause = action<{ readonly pause: Hosts; readonly for: number }>(
  { pause: hosts.describe('hosts: none of their code runs'), for: duration(1, PAUSE_MICROS_MAX, '120ms') },
  ({ pause }) => globsOf(pause),
  (stage, { pause, for: lasts }) => stage.eachHost(globsOf(pause), (host) => host.pause(lasts)),
);

const crash = action<{ readonly crash: Hosts; readonly for?: number }>(
  {
    crash: hosts.describe('hosts: their code ends at once'),
    for: LASTS.optional().describe('started again after so long'),
  },
  ({ crash }) => globsOf(crash),
  (stage, { crash, for: lasts }) => {
    const names = stage.hosts(globsOf(crash));
    const until = lasts === undefined ? Number.POSITIVE_INFINITY : stage.now + lasts;
    for (const name of names) {
      stage.crash(name);
      stage.spells.extend(`crash ${name}`, until);
    }
    if (lasts === undefined) return;
    stage.at(until, () => {
      for (const name of names) {
        if (stage.isDown(name) && stage.spells.isOver(`crash ${name}`, until)) startAgain(stage, name);
      }
    });
  },
);

const restart = action<{ readonly restart: Hosts }>(
  { restart: hosts.describe('hosts that have crashed: started again') },
  ({ restart }) => globsOf(restart),
  (stage, { restart }) => {
    for (const name of stage.hosts(globsOf(restart))) startAgain(stage, name);
  },
);

function startAgain(stage: Stage, name: string): void {
  stage.spells.end(`crash ${name}`);
  stage.restart(name);
}

/** Whose setting it is. */
interface OfHost {
  readonly host: Hosts;
}

const OF_HOST: Shape = { host: hosts.describe('whose') };
const hostNamed = ({ host }: OfHost): readonly string[] => globsOf(host);

const natTimeout = action<OfHost & { readonly natTimeout: number | null }>(
  { natTimeout: duration(1, TIMEOUT_MICROS_MAX, '30s').nullable().describe('null: forgets nothing'), ...OF_HOST },
  hostNamed,
  (stage, { natTimeout, host }) =>
    stage.eachNat(globsOf(host), (scene, one) => scene.natTimeout(one, natTimeout ?? NEVER)),
);

interface CpuFields {
  readonly perTurn?: number;
  readonly perPacket?: number;
  readonly perByte?: number;
}

const cpu = action<OfHost & { readonly cpu: CpuFields | null }>(
  {
    cpu: fields<CpuFields>({
      perTurn: cost(COST_NANOS_MAX, '50us').optional(),
      perPacket: cost(COST_NANOS_MAX, '2us').optional(),
      perByte: cost(COST_NANOS_MAX, '1ns').optional(),
    })
      .nullable()
      .describe('what code costs; null: nothing'),
    ...OF_HOST,
  },
  hostNamed,
  (stage, { cpu, host }) => {
    const { perTurn, perPacket, perByte } = cpu ?? {};
    const options = given({ perTurnNanos: perTurn, perPacketNanos: perPacket, perByteNanos: perByte });
    stage.eachHost(globsOf(host), (one) => one.setCpu(options));
  },
);

const receiveBuffer = action<OfHost & { readonly receiveBuffer: number | null }>(
  {
    receiveBuffer: size(RECEIVE_BUFFER_BYTES_MIN, RECEIVE_BUFFER_BYTES_MAX, '64KiB')
      .nullable()
      .describe('the largest that a socket gets; null: what it asks for'),
    ...OF_HOST,
  },
  hostNamed,
  (stage, { receiveBuffer, host }) =>
    stage.eachHost(globsOf(host), (one) => one.boundReceiveBuffers(receiveBuffer ?? RECEIVE_BUFFER_BYTES_MAX)),
);

const failSends = action<OfHost & { readonly failSends: SendError; readonly for?: number; readonly times?: number }>(
  {
    failSends: oneOf(SEND_ERRORS).describe('what the kernel answers'),
    ...OF_HOST,
    for: duration(1, SPAN_MICROS_MAX, '300ms').optional(),
    times: whole(1, TIMES_MAX).optional().describe('in place of `for`'),
  },
  hostNamed,
  (stage, { failSends, host, for: lasts, times }) => {
    if ((lasts === undefined) === (times === undefined)) throw new RangeError('give either "for" or "times"');
    const span = lasts === undefined ? { times: times! } : { forMicros: lasts };
    stage.eachHost(globsOf(host), (one) => one.failSends(failSends, span));
  },
);

const failReceives = action<OfHost & { readonly failReceives: number }>(
  { failReceives: whole(1, TIMES_MAX).describe('so many receives of each socket'), ...OF_HOST },
  hostNamed,
  (stage, { failReceives, host }) => stage.eachHost(globsOf(host), (one) => one.failReceives(failReceives)),
);

const drift = action<OfHost & { readonly drift: number }>(
  { drift: driftPpm(DRIFT_PPM_MAX).describe('clocks run faster by so much'), ...OF_HOST },
  hostNamed,
  (stage, { drift, host }) => stage.eachHost(globsOf(host), (one) => one.clock.drift(drift)),
);

const stepCalendar = action<OfHost & { readonly stepCalendar: number }>(
  { stepCalendar: duration(-STEP_MICROS_MAX, STEP_MICROS_MAX, '-90s').describe('the calendar is set'), ...OF_HOST },
  hostNamed,
  (stage, { stepCalendar, host }) => stage.eachHost(globsOf(host), (one) => one.clock.stepCalendar(stepCalendar)),
);

const leap = action<OfHost & { readonly leap: number }>(
  { leap: duration(0, STEP_MICROS_MAX, '3s').describe('all clocks are later at once'), ...OF_HOST },
  hostNamed,
  (stage, { leap, host }) => stage.eachHost(globsOf(host), (one) => one.clock.leap(leap)),
);

/** By name. */
export const FAULT_ACTIONS: Readonly<Record<string, TimelineAction>> = {
  cut,
  mend,
  hold,
  release,
  partition,
  heal,
  pause,
  crash,
  restart,
  natTimeout,
  cpu,
  receiveBuffer,
  failSends,
  failReceives,
  drift,
  stepCalendar,
  leap,
};
