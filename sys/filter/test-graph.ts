/**
 * Tests as a graph: each leads to another, or to the end, by what it finds. Ways that are decided already are cut short.
 *
 * A filter asks the same thing again and again (`udp and port 7`: is it IP? is it UDP?). Who comes to a test along one way
 * may know its outcome from the tests on that way; such a way is led on to where that outcome leads. Nothing is
 * known of a load that was not made, so a packet that is cut off meets the same end as before.
 */

import type { Condition, PacketTest } from './packet-test.ts';
import { BPF_JEQ, BPF_JGE, BPF_JGT } from './program.ts';

/** Ends of the graph, in place of a node's number. */
export const ACCEPT = -1;
export const REJECT = -2;

/** A test, and the numbers of what follows it; always higher than its own. */
export interface TestNode {
  readonly test: PacketTest;
  whenTrue: number;
  whenFalse: number;
}

export interface TestGraph {
  readonly entry: number;
  readonly nodes: readonly TestNode[];
}

/** Outcomes that are remembered along a way: enough for what filters repeat, few enough to copy at each node. */
const KNOWN_MAX = 32;
/** Values that are remembered of one load: `host` comes to the same test from ARP and from RARP. */
const VALUES_MAX = 4;
/** Tests that are looked through, one behind the other, for two ways that meet again. */
const LOOK_AHEAD = 2;
/** Tests of one filter, before ways are cut short: what has more is far beyond 4,096 instructions, and takes seconds. */
export const TESTS_MAX = 8192;

/** The graph of a condition, with ways cut short and what is not reached left out; null where it is beyond `TESTS_MAX`. */
export function graphOf(condition: Condition): TestGraph | null {
  const backwards: TestNode[] = [];
  const entry = place(condition, ACCEPT, REJECT, backwards);
  if (backwards.length > TESTS_MAX) return null;
  // Placed from the end; numbers are turned round so that every way leads to a higher one.
  const last = backwards.length - 1;
  const turn = (target: number): number => (target < 0 ? target : last - target);
  const nodes = backwards
    .map(({ test, whenTrue, whenFalse }) => ({ test, whenTrue: turn(whenTrue), whenFalse: turn(whenFalse) }))
    .reverse();
  cutShort(nodes, turn(entry));
  return reached(nodes, dropVain(nodes, turn(entry)));
}

/** Places the tests of a condition behind those that follow it, and returns where it is entered. */
function place(condition: Condition, whenTrue: number, whenFalse: number, nodes: TestNode[]): number {
  switch (condition.kind) {
    case 'always':
      return condition.value ? whenTrue : whenFalse;
    case 'not':
      return place(condition.of, whenFalse, whenTrue, nodes);
    case 'test':
      nodes.push({ test: condition.test, whenTrue, whenFalse });
      return nodes.length - 1;
    default: {
      // A chain leans to the left and may be thousands long: a loop in place of a call for each link.
      let at = condition as Condition;
      let [yes, no] = [whenTrue, whenFalse];
      while (at.kind === 'and' || at.kind === 'or') {
        const right = place(at.right, yes, no, nodes);
        if (at.kind === 'and') yes = right;
        else no = right;
        at = at.left;
      }
      return place(at, yes, no, nodes);
    }
  }
}

/** What is known along a way. */
interface Known {
  /** Values that a load can have, by its key. Such a load was made, and did not fail. */
  readonly values: Map<string, readonly number[]>;
  /** Outcomes of tests, by the words of the test. */
  readonly outcomes: Map<string, { readonly test: PacketTest; readonly outcome: boolean }>;
}

function cutShort(nodes: readonly TestNode[], entry: number): void {
  const knownAt = new Map<number, Known>();
  if (entry >= 0) knownAt.set(entry, { values: new Map(), outcomes: new Map() });
  for (const [number, node] of nodes.entries()) {
    const known = knownAt.get(number);
    if (known === undefined) continue; // not reached any more
    knownAt.delete(number);
    for (const outcome of [true, false]) {
      const after = learnt(known, node.test, outcome);
      const target = follow(nodes, outcome ? node.whenTrue : node.whenFalse, after, LOOK_AHEAD);
      if (outcome) node.whenTrue = target;
      else node.whenFalse = target;
      if (target >= 0) {
        const other = knownAt.get(target);
        knownAt.set(target, other === undefined ? after : common(other, after));
      }
    }
  }
}

/** The first test from `target` on that has to be made, or the end. */
function follow(nodes: readonly TestNode[], target: number, known: Known, lookAhead: number): number {
  let at = target;
  while (at >= 0) {
    const { test, whenTrue, whenFalse } = nodes[at]!;
    const decided = outcomeOf(test, known);
    if (decided !== null) {
      at = decided ? whenTrue : whenFalse;
      continue;
    }
    // A test whose ways meet again is not made, as long as its load cannot fail.
    if (lookAhead === 0 || !known.values.has(test.load.key)) break;
    const meeting = follow(nodes, whenTrue, learnt(known, test, true), lookAhead - 1);
    if (meeting !== follow(nodes, whenFalse, learnt(known, test, false), lookAhead - 1)) break;
    at = meeting;
  }
  return at;
}

function keyOf({ load, operation, operand }: PacketTest): string {
  return `${load.key} ${operation} ${operand}`;
}

function learnt(known: Known, test: PacketTest, outcome: boolean): Known {
  const after: Known = { values: new Map(known.values), outcomes: new Map(known.outcomes) };
  after.outcomes.set(keyOf(test), { test, outcome });
  if (after.outcomes.size > KNOWN_MAX) after.outcomes.delete(after.outcomes.keys().next().value!);
  const { load, operation, operand } = test;
  const before = known.values.get(load.key);
  if (before !== undefined)
    after.values.set(
      load.key,
      before.filter((value) => compare(value, operation, operand) === outcome),
    );
  else if (outcome && operation === BPF_JEQ) after.values.set(load.key, [operand]);
  if (after.values.size > KNOWN_MAX) after.values.delete(after.values.keys().next().value!);
  return after;
}

/** What a test will find; null where that is not known. */
function outcomeOf(test: PacketTest, known: Known): boolean | null {
  const values = known.values.get(test.load.key);
  if (values !== undefined && values.length > 0) {
    const first = compare(values[0]!, test.operation, test.operand);
    if (values.every((value) => compare(value, test.operation, test.operand) === first)) return first;
  }
  return known.outcomes.get(keyOf(test))?.outcome ?? null;
}

function compare(value: number, operation: number, operand: number): boolean {
  if (operation === BPF_JEQ) return value === operand;
  if (operation === BPF_JGT) return value > operand;
  if (operation === BPF_JGE) return value >= operand;
  return (value & operand) !== 0;
}

/** What is known whichever of two ways was taken. */
function common(a: Known, b: Known): Known {
  const both: Known = { values: new Map(), outcomes: new Map() };
  for (const [key, values] of a.values) {
    const others = b.values.get(key);
    if (others === undefined) continue;
    const either = [...new Set([...values, ...others])];
    if (either.length <= VALUES_MAX) both.values.set(key, either);
  }
  for (const [from, other] of [
    [a, b],
    [b, a],
  ] as const) {
    for (const [key, known] of from.outcomes)
      if (outcomeOf(known.test, other) === known.outcome) both.outcomes.set(key, known);
  }
  return both;
}

/**
 * Leads ways past tests after which the packet is dropped whatever they find: it is dropped too where their load fails.
 * Returns where the graph is entered now.
 */
function dropVain(nodes: readonly TestNode[], entry: number): number {
  const vain = new Set<number>();
  const past = (target: number): number => (vain.has(target) ? REJECT : target);
  for (let number = nodes.length - 1; number >= 0; number--) {
    const node = nodes[number]!;
    node.whenTrue = past(node.whenTrue);
    node.whenFalse = past(node.whenFalse);
    if (node.whenTrue === REJECT && node.whenFalse === REJECT) vain.add(number);
  }
  return past(entry);
}

function reached(nodes: readonly TestNode[], entry: number): TestGraph {
  const wanted = new Set([entry]);
  for (const [number, { whenTrue, whenFalse }] of nodes.entries()) {
    if (!wanted.has(number)) continue;
    wanted.add(whenTrue);
    wanted.add(whenFalse);
  }
  const numbers = new Map([...nodes.keys()].filter((number) => wanted.has(number)).map((number, i) => [number, i]));
  const renumber = (target: number): number => numbers.get(target) ?? target;
  return {
    entry: renumber(entry),
    nodes: [...numbers.keys()].map((number) => ({
      test: nodes[number]!.test,
      whenTrue: renumber(nodes[number]!.whenTrue),
      whenFalse: renumber(nodes[number]!.whenFalse),
    })),
  };
}
