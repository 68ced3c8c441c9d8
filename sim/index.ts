/** `tickwire/sim`: the simulator as a library. */

export type { AimdOptions, AimdSource, AimdStats } from './aimd-source.ts';
export type { Bottleneck, BottleneckOptions, BottleneckStats } from './bottleneck.ts';
export type { Chance } from './chance.ts';
export type { JitterShape } from './delay.ts';
export type { DirectionOptions } from './direction-options.ts';
export { openEngine } from './engine-host.ts';
export type { HostOptions, SimHost } from './host.ts';
export type { LatencyHistogram } from './latency-histogram.ts';
export type { DirectionStats, LinkDirection } from './link.ts';
export type { BurstLoss, ChainLoss, LossModel } from './loss.ts';
export type { RebindOptions } from './nat.ts';
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
export type { NetworkStats } from './transit.ts';
export { World, type WorldOptions } from './world.ts';
