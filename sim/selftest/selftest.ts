/**
 * The self-test: closed forms of queueing, loss and repair against the simulator, each at three sizes.
 *
 * A simulator that is trusted must be able to be wrong: what mathematics says about a link is computed beside what the link
 * does, over the same code that carries a game's datagrams. `test/sim/selftest/` breaks the stages on purpose and sees it fail.
 */

import { Streams } from '../world/streams.ts';
import { type Check, Z_MAX } from './check.ts';
import {
  bellJitter,
  exponentialOvertaking,
  heldBack,
  oneInstant,
  orderKept,
  overtaking,
  uniformJitter,
} from './delay-forms.ts';
import * as line from './line-forms.ts';
import * as loss from './loss-forms.ts';
import * as repair from './repair-forms.ts';
import { conservation, mathis, tokenBucket } from './traffic-forms.ts';

/** A closed form: its checks under one seed. Takes from 10 ms to a second. */
export interface Form {
  readonly name: string;
  readonly run: (streams: Streams) => Check[];
}

export const FORMS: readonly Form[] = [
  { name: 'serialisation', run: line.serialisation },
  { name: 'D/D/1', run: line.deterministicQueue },
  { name: 'D/D/1 drop onset', run: line.dropOnset },
  { name: 'bufferbloat', run: line.standingDelay },
  { name: 'M/D/1', run: line.poissonDeterministic },
  { name: 'M/M/1', run: line.poissonExponential },
  { name: 'M/M/1/K', run: line.finiteExponential },
  { name: 'M/G/1', run: line.poissonGeneral },
  { name: 'N*D/D/1', run: line.periodicSources },
  { name: "Little's law", run: line.littlesLaw },
  { name: 'conservation', run: conservation },
  { name: 'token bucket', run: tokenBucket },
  { name: 'AIMD', run: mathis },
  { name: 'independent loss', run: loss.independentLoss },
  { name: 'Gilbert-Elliott loss', run: loss.chainLoss },
  { name: 'Gilbert-Elliott runs', run: loss.chainRuns },
  { name: 'Gilbert-Elliott memory', run: loss.chainMemory },
  { name: 'outages in time', run: loss.outages },
  { name: 'bursts', run: loss.bursts },
  { name: 'duplication', run: loss.copies },
  { name: 'uniform jitter', run: uniformJitter },
  { name: 'bell jitter', run: bellJitter },
  { name: 'reordering', run: overtaking },
  { name: 'exponential reordering', run: exponentialOvertaking },
  { name: 'order kept', run: orderKept },
  { name: 'one instant', run: oneInstant },
  { name: 'held back', run: heldBack },
  { name: 'ARQ', run: repair.resend },
  { name: 'ARQ with backoff', run: repair.backoff },
  { name: 'ARQ with lossy acks', run: repair.lossyAcks },
  { name: 'head of line', run: repair.headOfLine },
  { name: 'fragments', run: repair.fragments },
  { name: 'redundancy', run: repair.redundancy },
  { name: 'handshake', run: repair.handshake },
];

/** The checks of one form under a seed; every form has its own chance. */
export function runForm(form: Form, seed: string): Check[] {
  return form.run(new Streams(`${seed}/${form.name}`));
}

/** Whether a check says that simulator and formula differ; NaN is no agreement either. */
export function fails({ z }: Check): boolean {
  return !(Math.abs(z) <= Z_MAX);
}
