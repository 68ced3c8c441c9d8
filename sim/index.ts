/** `tickwire/sim`: the simulator as a library. */

export type { Chance } from './chance.ts';
export { openEngine } from './engine-host.ts';
export type { HostOptions, SimHost } from './host.ts';
export type { LatencyHistogram } from './latency-histogram.ts';
export type { DirectionOptions, DirectionStats, JitterShape, LinkDirection } from './link.ts';
export type { NetworkStats } from './network.ts';
export {
  type ClientArgs,
  runScenario,
  type Scenario,
  type ScenarioReport,
  type ServerArgs,
  type SimulatedGame,
} from './scenario.ts';
export { SimAead } from './sim-aead.ts';
export type { AeadFactory, SimSys } from './sim-sys.ts';
export type { Stream, Streams } from './streams.ts';
export { World, type WorldOptions } from './world.ts';
