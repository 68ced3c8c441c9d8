// Captures as Wireshark reads them: with its own dissectors for IP and UDP, and the generated one for ours.

import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CapturedPacket } from '../../../sim/capture/captured-packet.ts';
import { dissectorText } from '../../../sim/capture/dissector.ts';
import { PcapSink } from '../../../sim/capture/pcap-sink.ts';
import type { ScenarioReport } from '../../../sim/scenario/scenario.ts';
import { runTalk } from './talk-game.ts';

const found = spawnSync('tshark', ['--version'], { encoding: 'utf8' });
const missing = found.status === 0 ? '' : ' (skipped: tshark is not installed, `apt-get install tshark`)';

describe.skipIf(missing !== '')(`a capture file, read by tshark${missing}`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'tickwire-pcap-'));
  const file = join(folder, 'out.pcapng');
  const packets: CapturedPacket[] = [];
  let report: ScenarioReport;

  beforeAll(async () => {
    const blocks: Uint8Array[] = [];
    ({ report } = await runTalk(
      ({ channelName }) => [
        new PcapSink((block) => void blocks.push(block), channelName),
        { onSent: (packet) => void packets.push(packet) },
      ],
      { link: { latencyMicros: 30_000, loss: 0.1, mtuBytes: 1_170, rateBitsPerSecond: 100_000, queueBytes: 300 } },
    ));
    writeFileSync(file, Buffer.concat(blocks));
    writeFileSync(join(folder, 'tickwire.lua'), dissectorText());
  }, 60_000);

  afterAll(() => rmSync(folder, { recursive: true }));

  /** Lines of tshark: the fields of the packets that pass the filter, by tabs; several values of one by commas. */
  function tshark(filter: string, ...fields: string[]): string[][] {
    const text = execFileSync(
      'tshark',
      [
        ...['-r', file, '-X', `lua_script:${join(folder, 'tickwire.lua')}`, '-T', 'fields', '-Y', filter],
        ...['-o', 'ip.check_checksum:TRUE', '-o', 'udp.check_checksum:TRUE'],
        ...fields.flatMap((field) => ['-e', field]),
      ],
      {
        encoding: 'utf8',
        maxBuffer: 1 << 26,
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { ...process.env, HOME: folder },
      },
    );
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => line.split('\t'));
  }

  it('has as many packets in each direction as the run, at the same times', () => {
    const rows = tshark('frame.interface_name == "wire"', 'frame.time_epoch', 'udp.dstport', 'tickwire.kind');
    expect(rows.length).toBe(report.packetsSent);
    const up = packets.filter(({ direction }) => direction.endsWith('>server'));
    expect(rows.filter(([, port]) => port === '40000').length).toBe(up.length);
    expect(rows.length - up.length).toBe(packets.length - up.length);
    const times = rows.map(([time]) => Math.round((Number(time) - 1_750_000_000) * 1e6));
    expect(times).toEqual(packets.map(({ sentAt }) => sentAt));
    expect(rows.map(([, , kind]) => Number(kind))).toEqual(packets.map(({ opened }) => opened!.type));
  }, 60_000);

  it('has checksums that are right, and nothing malformed', () => {
    expect(tshark('ip && ip.checksum.status == "Good" && udp.checksum.status == "Good"', 'frame.number').length).toBe(
      report.packetsSent,
    );
    expect(tshark('_ws.malformed || tickwire.malformed || _ws.lua.error', 'frame.number')).toEqual([]);
  }, 60_000);

  it('shows the frames of opened packets as the capture reads them', () => {
    const fields = ['tickwire.session', 'tickwire.side', 'tickwire.packet', 'tickwire.frame', 'tickwire.ack.newest'];
    const rows = tshark('tickwire.opened.kind == 5', ...fields, 'tickwire.messages.firstId', 'tickwire.input.bytes');
    const payloads = packets.filter(({ carried }) => carried.payload !== null);
    expect(rows.length).toBe(payloads.length);
    const list = (numbers: (number | string)[]): string => numbers.join(',');
    for (const [i, { opened, carried }] of payloads.entries()) {
      const frames = carried.payload!.frames;
      const of = (name: string) => frames.filter(({ row }) => row.name === name);
      expect(rows[i]).toEqual([
        `${opened!.session.number}`,
        opened!.fromClient ? '0' : '1',
        `${opened!.sequence}`,
        list(frames.map(({ type }) => `0x${type.toString(16).padStart(2, '0')}`)),
        list(of('ack').map(({ fields }) => fields.newest as number)),
        list(of('messages').map(({ fields }) => fields.firstId as number)),
        list(
          of('input').flatMap(({ items }) =>
            items.map(({ bytes }) => Buffer.from(bytes as Uint8Array).toString('hex')),
          ),
        ),
      ]);
    }
    const clocks = tshark('tickwire.time.clock', 'tickwire.time.clock').map(([clock]) => clock);
    const ours = payloads.flatMap(({ carried }) => carried.payload!.frames.filter(({ row }) => row.name === 'time'));
    expect(clocks).toEqual(ours.map(({ fields }) => `${fields.clock}`));
  }, 60_000);

  it('has comments that say what was lost and why, and what comes again', () => {
    const comments = tshark('frame.comment', 'frame.comment').map(([text]) => text!);
    const count = (pattern: RegExp) => comments.filter((text) => pattern.test(text)).length;
    expect(count(/lost in the air/)).toBe(report.dropped.lost);
    expect(count(/the queue was full/)).toBe(report.dropped.queueFull);
    expect(count(/larger than the link's MTU/)).toBe(report.dropped.tooLarge);
    expect(report.dropped.queueFull).toBeGreaterThan(0);
    expect(report.dropped.tooLarge).toBeGreaterThan(0);
    expect(count(/retransmission: .*, which was lost/)).toBeGreaterThan(0);
    expect(count(/acks \d+ to \d+/)).toBeGreaterThan(50);
  }, 60_000);
});
