/** Packets of one client: arrows to point at, what each carried, and the same as a table. */

import { LOSS_WORDS } from '../../capture/captured-packet.ts';
import type { SequencePacket, SequenceReport } from '../../capture/sequence-report.ts';
import type { SequenceView } from '../report-data.ts';
import { type Arrows, drawArrows, sample } from './arrows.ts';
import { choice, el, folded, table } from './dom.ts';
import { numberText } from './format.ts';

/** Choices of the time axis, in pixels a millisecond. */
const SCALES = [0.25, 0.5, 1, 2, 4, 8, 16];
/** Between two packets in the mean, to begin with. */
const PACKET_PIXELS = 9;
/** Browsers draw nothing higher than some 30,000 pixels without flaws. */
const HEIGHT_MAX = 30_000;

const KEY: readonly (readonly [kind: string, text: string])[] = [
  ['up', 'from the client'],
  ['down', 'from the server'],
  ['up bare', 'only an ack, or control'],
  ['gone', 'lost or dropped'],
  ['up again', 'carries what was lost (linked; dashed: a copy ahead of a loss)'],
];

export function drawSequence({ sequence }: SequenceView, into: HTMLElement): void {
  const { packets, client, fromMs, untilMs } = sequence;
  const spanMs = Math.max(1, untilMs - fromMs);
  const fitting = SCALES.filter((scale) => spanMs * scale <= HEIGHT_MAX);
  const scales = fitting.length === 0 ? [HEIGHT_MAX / spanMs] : fitting;
  let scale = scales.find((one) => one * spanMs >= packets.length * PACKET_PIXELS) ?? scales.at(-1)!;
  let chosen = -1;
  let arrows: Arrows | null = null;

  const frame = el('div', {
    className: 'sequence',
    tabIndex: 0,
    attributes: { role: 'group', 'aria-label': `Packets between ${client} and the server; arrow keys go through them` },
  });
  const detail = el('div', { className: 'sequence-detail', attributes: { 'aria-live': 'polite' } });
  detail.append(el('p', { className: 'note' }, 'Point at an arrow, tap it, or go through them with the arrow keys.'));

  const redraw = (): void => {
    const width = frame.clientWidth;
    if (width === 0) return;
    arrows = drawArrows(sequence, width, scale);
    frame.replaceChildren(
      el('div', { className: 'lives' }, el('span', {}, client), el('span', {}, 'server')),
      arrows.svg,
    );
    if (chosen >= 0) choose(chosen, false);
  };
  const choose = (index: number, scroll: boolean): void => {
    chosen = index;
    mark(arrows!, sequence, index);
    detail.replaceChildren(...detailOf(sequence, index));
    if (scroll) frame.scrollTop = arrows!.heightOf(index) - frame.clientHeight / 2;
  };
  const pointed = (event: Event): void => {
    const group = (event.target as Element).closest('[data-packet]');
    if (group !== null) choose(Number(group.getAttribute('data-packet')), false);
  };
  frame.addEventListener('pointerover', pointed);
  frame.addEventListener('click', pointed);
  frame.addEventListener('keydown', (event) => {
    const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
    if (step === 0 || arrows === null) return;
    event.preventDefault();
    choose(Math.min(packets.length - 1, Math.max(0, chosen + step)), true);
  });
  let drawnWidth = 0;
  new ResizeObserver(() => {
    if (frame.clientWidth === drawnWidth) return;
    drawnWidth = frame.clientWidth;
    redraw();
  }).observe(frame);

  const zoom = choice(
    'Time scale',
    [['', scales.map((one) => [String(one), `${numberText(one * 10)} pixels are 10 ms`] as const)]],
    String(scale),
    (value) => {
      scale = Number(value);
      redraw();
    },
  );
  into.append(
    el(
      'div',
      { className: 'card' },
      el('h2', {}, 'Every packet, from one end to the other'),
      el('ul', { className: 'sequence-key' }, ...KEY.map(([kind, text]) => el('li', {}, sample(kind), text))),
      el('div', { className: 'controls' }, zoom),
      frame,
      detail,
      tableWhenOpened(sequence),
    ),
  );
}

/** Shows which packet is chosen, which ones it repeats or is repeated by, and which ones it acknowledges. */
function mark({ packets, links }: Arrows, sequence: SequenceReport, index: number): void {
  const { up, acked } = sequence.packets[index]!;
  for (const [i, group] of packets.entries()) {
    const { up: otherUp, number } = sequence.packets[i]!;
    group.classList.toggle('chosen', i === index);
    const told =
      number !== null && otherUp !== up && acked.some(({ first, last }) => first <= number && number <= last);
    group.classList.toggle('told', told);
  }
  for (const { from, to, path } of links) path.classList.toggle('chosen', from === index || to === index);
}

function detailOf({ packets, client }: SequenceReport, index: number): Node[] {
  const packet = packets[index]!;
  const { up, kind, number, bytes, sentMs, acked, carries, repeats, corrupted, copiesMs } = packet;
  const ranges = acked.map(({ first, last }) => (first === last ? `${first}` : `${first} to ${last}`));
  const again = packets.flatMap((one) =>
    one.up === up && number !== null && one.repeats.some(({ packet }) => packet === number) ? [one.number] : [],
  );
  const lines: (readonly [name: string, text: string])[] = [
    ['sent', `at ${millisText(sentMs)}, ${bytes} bytes`],
    ['end', `${endText(packet)}${corrupted ? ', with other bytes' : ''}`],
    ...copiesMs.map((ms) => ['copy', `arrived once more at ${millisText(ms)}`] as const),
    ...(ranges.length === 0 ? [] : [['acks', ranges.join(', ')] as const]),
    ...(carries.length === 0 ? [] : [['carries', carries.join('; ')] as const]),
    ...repeats.map(({ what, packet, lost }) =>
      lost
        ? (['again', `${what}, lost with packet ${packet}`] as const)
        : (['copy', `${what}, also in packet ${packet}`] as const),
    ),
    ...(again.length === 0 ? [] : [['comes again', `in packet ${again.join(', ')}`] as const]),
  ];
  const title = `${kind}${number === null ? '' : ` ${number}`}, from ${up ? client : 'the server'}`;
  return [
    el('h3', {}, title),
    ...lines.map(([name, text]) => el('p', {}, el('span', { className: 'note' }, `${name}: `), text)),
  ];
}

function endText({ ending, endedMs, sentMs }: SequencePacket): string {
  if (ending === 'unknown') return 'under way when the capture ended';
  if (ending === 'delivered') return `arrived at ${millisText(endedMs!)}, after ${numberText(endedMs! - sentMs)} ms`;
  return LOSS_WORDS[ending];
}

function millisText(ms: number): string {
  return `${(ms / 1000).toFixed(4)} s`;
}

/** Rows are made only for who asks for them. */
function tableWhenOpened(sequence: SequenceReport): HTMLDetailsElement {
  const details = folded('The same as a table');
  details.addEventListener(
    'toggle',
    () => {
      const rows = sequence.packets.map((packet) => [
        millisText(packet.sentMs),
        packet.up ? '→' : '←',
        packet.number === null ? '' : String(packet.number),
        packet.kind,
        packet.carries.join('; '),
        endText(packet),
      ]);
      details.append(
        table('→ from the client, ← from the server', ['sent', '', 'number', 'kind', 'carries', 'end'], rows),
      );
    },
    { once: true },
  );
  return details;
}
