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
const KNOWN_MAX = 128;

/** The graph of a condition, with ways cut short and what is not reached left out. */
export function graphOf(condition: Condition): TestGraph {
  const backwards: TestNode[] = [];
  const entry = place(condition, ACCEPT, REJECT, backwards);
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

/** Outcomes of tests, by the words of the test. */
type Known = Map<string, { readonly test: PacketTest; readonly outcome: boolean }>;

function cutShort(nodes: readonly TestNode[], entry: number): void {
  const knownAt = new Map<number, Known>();
  if (entry >= 0) knownAt.set(entry, new Map());
  for (const [number, node] of nodes.entries()) {
    const known = knownAt.get(number);
    if (known === undefined) continue; // not reached any more
    knownAt.delete(number);
    for (const outcome of [true, false]) {
      const after = learnt(known, node.test, outcome);
      let target = outcome ? node.whenTrue : node.whenFalse;
      while (target >= 0) {
        const decided = outcomeOf(nodes[target]!.test, after);
        if (decided === null) break;
        target = decided ? nodes[target]!.whenTrue : nodes[target]!.whenFalse;
      }
      if (outcome) node.whenTrue = target;
      else node.whenFalse = target;
      if (target >= 0) {
        const other = knownAt.get(target);
        knownAt.set(target, other === undefined ? after : common(other, after));
      }
    }
  }
}

function keyOf({ load, operation, operand }: PacketTest): string {
  return `${load.key} ${operation} ${operand}`;
}

function learnt(known: Known, test: PacketTest, outcome: boolean): Known {
  const after: Known = new Map(known);
  after.set(keyOf(test), { test, outcome });
  // An equality says it all, and is found under the load's own key.
  if (outcome && test.operation === BPF_JEQ) after.set(test.load.key, { test, outcome });
  if (after.size > KNOWN_MAX) forget(after);
  return after;
}

/** Forgets the oldest outcome that is no equality: what a value is says more than one of the many that it is not. */
function forget(known: Known): void {
  for (const [key, { test }] of known) {
    if (key === test.load.key) continue;
    known.delete(key);
    return;
  }
}

/** What a test will find; null where that is not known. */
function outcomeOf(test: PacketTest, known: Known): boolean | null {
  const equal = known.get(test.load.key);
  if (equal !== undefined) return compare(equal.test.operand, test.operation, test.operand);
  return known.get(keyOf(test))?.outcome ?? null;
}

function compare(value: number, operation: number, operand: number): boolean {
  if (operation === BPF_JEQ) return value === operand;
  if (operation === BPF_JGT) return value > operand;
  if (operation === BPF_JGE) return value >= operand;
  return (value & operand) !== 0;
}

/** What is known whichever of two ways was taken. */
function common(a: Known, b: Known): Known {
  const both: Known = new Map();
  for (const from of [a, b]) {
    for (const [key, { test, outcome }] of from) {
      const equality = key === test.load.key;
      const other = from === a ? b : a;
      if (equality ? other.get(key)?.test.operand === test.operand : outcomeOf(test, other) === outcome)
        both.set(key, { test, outcome });
    }
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
