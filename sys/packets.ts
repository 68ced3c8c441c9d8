/**
 * `tickwire/packets`: what those need who read and write packets by themselves. Headers (`wire/`) to wrap bytes in, filters
 * (`filter/`) to choose packets by, in the kernel or here.
 *
 * Beside `tickwire/sys` and not in it, because the engine does without: this would be a twentieth of its time to load.
 */

export { compileCondition, compileFilter, type FilterTarget } from './filter/compile.ts';
export { FilterError } from './filter/filter-error.ts';
export { FilterInterpreter } from './filter/interpreter.ts';
export {
  all,
  any,
  atLeast,
  atMost,
  type Condition,
  equals,
  hasBits,
  type Load,
  loadAt,
  loadBehind,
  loadLength,
  not,
} from './filter/packet-test.ts';
export { FilterProgram } from './filter/program.ts';
export * from './wire/arp.ts';
export * from './wire/checksum.ts';
export * from './wire/ethernet.ts';
export * from './wire/header.ts';
export * from './wire/icmp.ts';
export * from './wire/icmpv6.ts';
export * from './wire/ipv4.ts';
export * from './wire/ipv6.ts';
export * from './wire/numbers.ts';
export * from './wire/option-cursor.ts';
export * from './wire/tcp.ts';
export * from './wire/udp.ts';
export * from './wire/vlan.ts';
