/**
 * Packets as arrows between two life lines, in SVG: each arrow is an element that can be pointed at, tapped and styled, and a
 * picture of some ten thousand pixels in height scrolls as any page does. A canvas would have to be cut and searched by hand.
 */

import type { SequencePacket, SequenceReport } from '../../capture/sequence-report.ts';
import { numberText } from './format.ts';

const SVG = 'http://www.w3.org/2000/svg';
const TOP = 16;
const BOTTOM = 24;
/** From the edge to a life line: room for numbers, and for the links of retransmissions. */
const MARGIN = 92;
const MARGIN_NARROW = 58;
const NARROW = 520;
/** Between two labels at one life line. */
const LABEL_GAP = 11;
/** How far a packet that was lost in the air gets in the drawing. */
const LOST_SHARE = 0.62;
/** Lines of the time axis lie about so far apart. */
const TICK_PIXELS = 90;
const STEPS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000];

/** The drawing, and its parts by packet. */
export interface Arrows {
  readonly svg: SVGSVGElement;
  readonly packets: readonly SVGGElement[];
  /** Links between a packet that carries something again and the one before, with the places of both. */
  readonly links: readonly { readonly from: number; readonly to: number; readonly path: SVGPathElement }[];
  /** Height of packet `i` in the drawing. */
  readonly heightOf: (i: number) => number;
}

export function drawArrows(sequence: SequenceReport, width: number, pixelsPerMs: number): Arrows {
  const { packets, fromMs, untilMs } = sequence;
  const y = (ms: number): number => TOP + (ms - fromMs) * pixelsPerMs;
  // What was sent before the end of the window is shown to its own end.
  const ends = packets.flatMap(({ sentMs, endedMs, copiesMs }) => [endedMs ?? sentMs, ...copiesMs]);
  const height = y(ends.reduce((a, b) => Math.max(a, b), untilMs)) + BOTTOM;
  const margin = width < NARROW ? MARGIN_NARROW : MARGIN;
  const [left, right] = [margin, width - margin];
  const svg = make('svg', { viewBox: `0 0 ${width} ${height}`, height: String(height), 'aria-hidden': 'true' });
  const times = drawAxis(svg, sequence, y, width, pixelsPerMs);
  for (const x of [left, right]) svg.append(make('line', { class: 'life', x1: x, x2: x, y1: 0, y2: height }));

  const usual = [usualMs(packets, true), usualMs(packets, false)] as const;
  const links: { from: number; to: number; path: SVGPathElement }[] = [];
  const labelled: [number, number] = [-LABEL_GAP, -LABEL_GAP];
  const groups = packets.map((packet, i) => {
    const [from, to] = packet.up ? [left, right] : [right, left];
    const side = packet.up ? 0 : 1;
    const at = y(packet.sentMs);
    const group = make('g', { class: classOf(packet), 'data-packet': i });
    const isGone = packet.ending !== 'delivered' && packet.ending !== 'unknown';
    // What is lost in the air is lost at once, in the simulator; drawn on its way, where one looks for it.
    const flightMs = packet.endedMs !== null && !isGone ? packet.endedMs - packet.sentMs : usual[side];
    const share = isGone || packet.ending === 'unknown' ? LOST_SHARE : 1;
    const [endX, endY] = [from + (to - from) * share, at + flightMs * pixelsPerMs * share];
    const line = { x1: from, y1: at, x2: endX, y2: endY };
    group.append(make('line', { class: 'hit', ...line }), make('line', { class: 'arrow', ...line }));
    if (isGone) group.append(make('path', { class: 'cross', d: `M${endX - 4},${endY - 4}l8,8m0,-8l-8,8` }));
    else if (packet.ending === 'delivered') group.append(head(from, at, endX, endY));
    for (const ms of packet.copiesMs) {
      group.append(make('line', { class: 'copy', x1: from, y1: at, x2: to, y2: y(ms) }));
    }
    if (packet.number !== null && at - labelled[side] >= LABEL_GAP) {
      labelled[side] = at;
      const anchor = packet.up ? { x: from - 6, 'text-anchor': 'end' } : { x: from + 6, 'text-anchor': 'start' };
      group.append(make('text', { ...anchor, y: at + 4 }, String(packet.number)));
    }
    for (const { packet: before, lost } of packet.repeats) {
      if (links.some(({ from: one, to: other }) => one === i && packets[other]!.number === before)) continue;
      const other = packets.findIndex(({ up, number }) => up === packet.up && number === before);
      if (other < 0) continue;
      const [out, begin] = [from + (packet.up ? -1 : 1) * margin * 0.5, y(packets[other]!.sentMs)];
      const path = make('path', {
        class: lost ? 'link' : 'link early',
        d: `M${from},${begin}C${out},${begin} ${out},${at} ${from},${at}`,
      });
      links.push({ from: i, to: other, path });
    }
    return group;
  });
  svg.append(...links.map(({ path }) => path), ...groups, ...times);
  return { svg, packets: groups, links, heightOf: (i) => y(packets[i]!.sentMs) };
}

/** A small picture of how something is drawn. */
export function sample(kind: string): SVGSVGElement {
  const svg = make('svg', { viewBox: '0 0 34 12', 'aria-hidden': 'true' });
  const group = make('g', { class: `packet ${kind}` });
  const line = { x1: 1, y1: 6, x2: kind === 'gone' ? 22 : 33, y2: 6 };
  group.append(make('line', { class: 'arrow', ...line }));
  group.append(kind === 'gone' ? make('path', { class: 'cross', d: 'M18,2l8,8m0,-8l-8,8' }) : head(1, 6, 33, 6));
  svg.append(group);
  return svg;
}

function classOf({ up, ending, repeats, carries }: SequencePacket): string {
  return [
    'packet',
    up ? 'up' : 'down',
    ...(ending !== 'delivered' && ending !== 'unknown' ? ['gone'] : []),
    ...(repeats.some(({ lost }) => lost) ? ['again'] : []),
    ...(carries.length === 0 ? ['bare'] : []),
  ].join(' ');
}

/** Draws the lines of the time axis; returns its texts, which are to lie above all else. */
function drawAxis(
  svg: SVGSVGElement,
  { fromMs, untilMs }: SequenceReport,
  y: (ms: number) => number,
  width: number,
  pixelsPerMs: number,
): SVGTextElement[] {
  const texts: SVGTextElement[] = [];
  const step = STEPS.find((step) => step * pixelsPerMs >= TICK_PIXELS) ?? STEPS.at(-1)!;
  for (let tick = Math.ceil(fromMs / step); tick * step <= untilMs; tick++) {
    const ms = tick * step;
    svg.append(make('line', { class: 'tick', x1: 0, x2: width, y1: y(ms), y2: y(ms), 'stroke-dasharray': '1 5' }));
    texts.push(make('text', { x: width / 2, y: y(ms) + 4, 'text-anchor': 'middle' }, `${numberText(ms / 1000)} s`));
  }
  return texts;
}

/** The median flight of what arrived on one way, for drawing what did not. */
function usualMs(packets: readonly SequencePacket[], up: boolean): number {
  const flights = packets
    .filter((packet) => packet.up === up && packet.ending === 'delivered')
    .map(({ endedMs, sentMs }) => endedMs! - sentMs)
    .sort((a, b) => a - b);
  return flights[flights.length >> 1] ?? 20;
}

/** The head of an arrow, in the direction of its line. */
function head(x1: number, y1: number, x2: number, y2: number): SVGPathElement {
  const length = Math.hypot(x2 - x1, y2 - y1) || 1;
  const [dx, dy] = [((x2 - x1) / length) * 7, ((y2 - y1) / length) * 7];
  const [baseX, baseY] = [x2 - dx, y2 - dy];
  const points = `M${x2},${y2}L${baseX - dy * 0.45},${baseY + dx * 0.45}L${baseX + dy * 0.45},${baseY - dx * 0.45}Z`;
  return make('path', { class: 'head', d: points });
}

function make<K extends keyof SVGElementTagNameMap>(
  tag: K,
  attributes: Readonly<Record<string, string | number>>,
  text = '',
): SVGElementTagNameMap[K] {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) {
    element.setAttribute(name, typeof value === 'number' ? String(Math.round(value * 10) / 10) : value);
  }
  if (text !== '') element.textContent = text;
  return element;
}
