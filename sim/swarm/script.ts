/**
 * A run of the swarm as a text that stands alone: its seed, how far it is cut down, and the faults that befall it.
 *
 *     seed 1375
 *     seconds 0.5
 *     heals 230ms            # the network gets well earlier than the seed would have it
 *     messages 12            # each side says so many at most
 *     clients 1
 *     drop client-0>server #3
 *
 * With faults, or with `scripted` alone, nothing befalls the run but them; without, chance decides as for the bare seed.
 */

import { type Fault, FaultTextError, faultText, parseFault, wordsOf } from '../link/fault.ts';
import { timeOf, timeText } from '../link/fault-time.ts';

/** By how much less a run is than its seed would have it. */
export interface SwarmLimits {
  /** The network heals then at the latest. */
  readonly healsAt?: number;
  /** Messages that each side of each connection says at most. */
  readonly messages?: number;
  readonly clients?: number;
}

/** What makes a run: the same again gives the same digest. */
export interface SwarmScript {
  readonly seed: string;
  /** As `SwarmOptions.secondsMax`. */
  readonly seconds: number;
  readonly limits: SwarmLimits;
  /** What befalls it, in place of chance; null: chance decides. */
  readonly faults: readonly Fault[] | null;
}

/** `sim swarm` writes it when a promise is broken. */
export interface SwarmFailure {
  readonly schema: 'tickwire/swarm-failure/1';
  readonly seed: string;
  readonly seconds: number;
  readonly digest: string;
  readonly complaints: readonly string[];
  /** The run as a script, its faults listed: its text is what `replay` takes too. */
  readonly script: readonly string[];
}

/** The script as text, comments first. */
export function scriptText(script: SwarmScript, comments: readonly string[] = []): string {
  return `${[...comments.map((line) => `# ${line}`), ...scriptLines(script)].join('\n')}\n`;
}

export function scriptLines({ seed, seconds, limits, faults }: SwarmScript): string[] {
  const lines = [`seed ${seed}`, `seconds ${seconds}`];
  if (limits.healsAt !== undefined) lines.push(`heals ${timeText(limits.healsAt)}`);
  if (limits.messages !== undefined) lines.push(`messages ${limits.messages}`);
  if (limits.clients !== undefined) lines.push(`clients ${limits.clients}`);
  if (faults?.length === 0) lines.push('scripted');
  return [...lines, ...(faults ?? []).map(faultText)];
}

/** What lines say. */
interface Lines {
  readonly head: Readonly<Record<string, string>>;
  readonly faults: readonly Fault[];
  readonly isScripted: boolean;
}

/** The faults alone, for another run than the swarm's: whatever is said of that one is read and left out. Throws FaultTextError. */
export function faultsOfScript(text: string): readonly Fault[] {
  return readLines(text).faults;
}

function readLines(text: string): Lines {
  const head: Record<string, string> = {};
  const faults: Fault[] = [];
  let isScripted = false;
  text.split('\n').forEach((line, i) => {
    const words = wordsOf(line);
    const [, name, value] = /^(seed|seconds|heals|messages|clients) (.+)$/.exec(words) ?? [];
    if (words === '') return;
    if (words === 'scripted') isScripted = true;
    else if (name === undefined) faults.push(parseFault(words, i + 1));
    else if (name in head) throw new FaultTextError(`line ${i + 1}: there is a ${name} already`);
    else if (name !== 'seed' && !isNumber(name, value!)) {
      throw new FaultTextError(`line ${i + 1}: '${words}' cannot be read: write '${EXAMPLES[name]}'`);
    } else head[name] = value!;
  });
  return { head, faults, isScripted };
}

/** Reads a script. Throws FaultTextError that names the line. */
export function parseScript(text: string): SwarmScript {
  const { head, faults, isScripted } = readLines(text);
  if (head.seed === undefined) throw new FaultTextError("the script names no seed: write 'seed 17' in its first line");
  return {
    seed: head.seed,
    seconds: Number(head.seconds ?? SECONDS_BY_DEFAULT),
    limits: {
      ...(head.heals === undefined ? {} : { healsAt: timeOf(head.heals) }),
      ...(head.messages === undefined ? {} : { messages: Number(head.messages) }),
      ...(head.clients === undefined ? {} : { clients: Number(head.clients) }),
    },
    faults: faults.length > 0 || isScripted ? faults : null,
  };
}

/** How long the network does its worst at most, beyond the first 200 ms. */
export const SECONDS_BY_DEFAULT = 0.5;
const EXAMPLES: Readonly<Record<string, string>> = {
  seconds: 'seconds 0.5',
  heals: 'heals 230ms',
  messages: 'messages 12',
  clients: 'clients 1',
};

function isNumber(name: string, value: string): boolean {
  if (name === 'heals') return timeOf(value) >= 0;
  return name === 'seconds' ? /^\d+(\.\d+)?$/.test(value) : /^\d{1,9}$/.test(value);
}
