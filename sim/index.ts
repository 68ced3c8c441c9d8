/** `tickwire/sim`: the simulator as a library. */

export { Capture, type ConnectionEnd, type ConnectionEnds } from './capture/capture.ts';
export type { CapturedPacket, CaptureSink } from './capture/captured-packet.ts';
export { dissectorText } from './capture/dissector.ts';
export type { CaptureKeys } from './capture/packet-opener.ts';
export { linesAbout } from './capture/packet-text.ts';
export { type PcapOptions, PcapSink } from './capture/pcap-sink.ts';
export { type QlogOptions, QlogSink } from './capture/qlog-sink.ts';
export type { SequencePacket, SequenceReport } from './capture/sequence-report.ts';
export { type SequenceOptions, SequenceSink } from './capture/sequence-sink.ts';
export type { AimdOptions, AimdSource, AimdStats } from './link/aimd-source.ts';
export type { Bottleneck, BottleneckStats } from './link/bottleneck.ts';
export type { BottleneckOptions, QueueDiscipline } from './link/bottleneck-options.ts';
export type { CbrOptions, CbrSource, CbrStats } from './link/cbr-source.ts';
export type { Chance } from './link/chance.ts';
export type { CorruptKind } from './link/corrupt.ts';
export type { JitterShape } from './link/delay.ts';
export type { DirectionOptions } from './link/direction-options.ts';
export { type DirectionFates, Fates, type FatesOptions } from './link/fates.ts';
export {
  type Fault,
  FaultTextError,
  faultText,
  type PacketFault,
  parseFaults,
} from './link/fault.ts';
export type { DirectionStats, LinkDirection } from './link/link.ts';
export type { BurstLoss, ChainLoss, LossModel } from './link/loss.ts';
export type { ListLoss, TraceLoss } from './link/loss-by-list.ts';
export type { FourStateLoss } from './link/loss-four-state.ts';
export type { TimeLoss } from './link/loss-in-time.ts';
export type { PolicerOptions } from './link/policer.ts';
export { type RateTraceTimes, readRateTrace } from './link/rate-trace.ts';
export type { HostFault, RebindFault, TimedFault, WayFault } from './link/timed-fault.ts';
export type { WifiOptions } from './link/wifi-delay.ts';
export { type LoopOptions, ProxyLoop } from './proxy/proxy-loop.ts';
export type { ProxyMachine, ProxyOptions } from './proxy/proxy-options.ts';
export { type ProxyReport, proxyReport, type WayReport } from './proxy/proxy-report.ts';
export type { ProxyScenario } from './proxy/proxy-scene.ts';
export { UdpProxy } from './proxy/udp-proxy.ts';
export type { ChannelReport } from './scenario/message-latencies.ts';
export {
  type ClientArgs,
  runScenario,
  type Scenario,
  type ScenarioReport,
  type ServerArgs,
  type SimulatedGame,
} from './scenario/scenario.ts';
export type { Restart } from './scenario/scene.ts';
export type { ConnectionColumns, FlowColumns, SeriesReport } from './scenario/series-report.ts';
export type { CpuOptions } from './world/cpu.ts';
export { openEngine } from './world/engine-host.ts';
export type { HostOptions, SimHost } from './world/host.ts';
export type { HostClock } from './world/host-clock.ts';
export type { HostFaultStats } from './world/host-faults.ts';
export type { LatencyHistogram } from './world/latency-histogram.ts';
export type { RebindOptions } from './world/nat.ts';
export type { DatagramEvent, DatagramObserver } from './world/observer.ts';
export { SimAead } from './world/sim-aead.ts';
export type { AeadFactory, SimSys } from './world/sim-sys.ts';
export type { FaultSpan, SendError } from './world/socket-faults.ts';
export type { Stranger, StrangerOptions } from './world/stranger.ts';
export type { Stream, Streams } from './world/streams.ts';
export { TimedFaults, type TimedFaultsOptions, type TimedStep } from './world/timed-faults.ts';
export type { NetworkStats } from './world/transit.ts';
export { World, type WorldOptions } from './world/world.ts';
