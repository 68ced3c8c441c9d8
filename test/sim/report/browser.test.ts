// The page of a sweep in a real browser, from a file: it draws, it reaches for nothing, a cell shows its seeds.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SequencePacket } from '../../../sim/capture/sequence-report.ts';
import { type ComparedSide, compare } from '../../../sim/report/comparison.ts';
import { htmlOf } from '../../../sim/report/html-report.ts';
import type { ReportData, ReportView } from '../../../sim/report/report-data.ts';
import { compareView, type SweptRun, sequenceView, sweepViews } from '../../../sim/report/views.ts';
import { channel, run } from './runs.ts';

const CLI = fileURLToPath(new URL('../../../dist/sim/cli/main.js', import.meta.url));
const CHROMIUM = '/usr/bin/chromium';
const reason = !existsSync(CLI)
  ? 'dist/ is missing, build first'
  : existsSync(CHROMIUM)
    ? ''
    : `there is no ${CHROMIUM}`;
const DESKTOP = { width: 1280, height: 900 };
const PHONE = { width: 375, height: 800 };
/** A browser beside compilers takes its time. */
const TIMEOUT_MILLIS = 240_000;
const ARROWS = '.sequence [data-packet]';
const SEEDS = ['1/0', '1/1', '1/2', '1/3'];

const PACKETS: readonly SequencePacket[] = [
  packet({ up: true, number: 1, sentMs: 10, endedMs: 60, carries: ['chat 6 (3 bytes)'] }),
  packet({ up: false, number: 4, sentMs: 70, endedMs: 120, acked: [{ first: 0, last: 1 }] }),
  packet({ up: true, number: 2, sentMs: 80, endedMs: 80, ending: 'lost', carries: ['chat 7 (3 bytes)'] }),
  packet({
    up: true,
    number: 3,
    sentMs: 200,
    endedMs: 250,
    carries: ['chat 7 (3 bytes)'],
    repeats: [{ packet: 2, lost: true, what: 'chat 7' }],
  }),
];

describe.skipIf(reason !== '')(
  `the page of a report${reason === '' ? '' : ` (skipped: ${reason})`}`,
  { timeout: TIMEOUT_MILLIS },
  () => {
    const folder = mkdtempSync(join(tmpdir(), 'tickwire-page-'));
    let browser: Browser;
    let page: Page;
    const complaints: string[] = [];
    const requests: string[] = [];

    beforeAll(async () => {
      const short = ['--clients', '1', '--seconds', '2'];
      sim(
        'sweep',
        '--grid',
        'loss=0,10,30',
        '--grid',
        'latency=20,60',
        '--repeat',
        '2',
        ...short,
        '--html',
        'sweep.html',
      );
      sim('run', ...short, '--loss', '5', '--rate', '0.1', '--html', 'run.html');
      write('line.html', sweepViews([0, 10].flatMap((loss) => SEEDS.map((seed) => swept(loss, seed)))));
      write('compare.html', [compareView(compare(side('A', 0), side('B', 10), SEEDS, '1'))]);
      const seen = { client: 'client-0', fromMs: 0, untilMs: 300, isCut: false, packets: PACKETS } as const;
      write('sequence.html', [sequenceView({ schema: 'tickwire-sequence/1', ...seen })]);
      browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] });
      page = await browser.newPage({ viewport: DESKTOP });
      page.on('console', (message) => complaints.push(message.text()));
      page.on('pageerror', (error) => complaints.push(String(error)));
      page.on('request', (request) => requests.push(request.url()));
    }, TIMEOUT_MILLIS);

    afterAll(async () => {
      await browser?.close();
      rmSync(folder, { recursive: true });
    });

    it('draws a heat map, without a complaint and without a request beside itself', async () => {
      await open('sweep.html');
      expect(await colors()).toEqual(expect.arrayContaining([expect.any(Number), expect.any(Number)]));
      for (const count of await colors()) expect(count).toBeGreaterThan(5);
      expect(await page.title()).toBe('arena: loss × latency');
      expect(statSync(join(folder, 'sweep.html')).size).toBeLessThan(2_000_000);
    });

    it('shows the seeds of a cell that is clicked, and the command that repeats each', async () => {
      await open('sweep.html');
      const detail = page.locator('#view-0-cell');
      const before = await detail.locator('h2').innerText();
      expect(before).toContain('latency 60'); // the worst cell to begin with
      const canvas = page.locator('canvas').first();
      const box = (await canvas.boundingBox())!;
      // The first column and the lowest row: axes take some pixels at the left and below.
      await page.mouse.click(box.x + 150, box.y + box.height - 75);
      expect(await detail.locator('h2').innerText()).toBe('loss 0 %, latency 20 ms one way');
      expect(await detail.locator('.seed').allInnerTexts()).toEqual(['1/0', '1/1']);
      await detail.locator('.seed').nth(1).click();
      const command = await detail.locator('code').innerText();
      expect(command).toMatch(
        /^npm run sim -- run --scenario arena --clients 1 --latency 20 .*--loss 0 .*--seed 1\/1$/,
      );
      await detail.getByRole('button', { name: 'Copy' }).click();
      await expect.poll(() => detail.locator('.copy').innerText()).toBe('Copied');
    });

    it('has the same numbers in a table, from which a cell can be chosen by the keyboard', async () => {
      await open('sweep.html');
      await page.locator('summary').first().press('Enter');
      const cells = page.locator('.cell');
      expect(await cells.count()).toBe(6);
      await cells.nth(1).press('Enter');
      expect(await page.locator('#view-0-cell h2').innerText()).toBe('loss 10 %, latency 20 ms one way');
    });

    it('shows another metric, and the axes the other way round', async () => {
      await open('sweep.html');
      await page.getByLabel('Show').selectOption({ label: 'state ↓: messages arrived, %' });
      expect(await page.locator('h2').first().innerText()).toBe('state ↓: messages arrived, %');
      await page.getByLabel('Across').selectOption({ label: 'latency, ms one way' });
      expect(await page.getByLabel('Up').inputValue()).toBe('0');
      expect((await colors())[0]).toBeGreaterThan(5);
    });

    it.each([
      ['line.html', 'sweep over one axis', 2],
      ['run.html', 'run over time', 6],
      ['compare.html', 'comparison', 2],
    ])('draws %s, a %s', async (file, _, charts) => {
      await open(file);
      const drawn = await colors();
      expect(drawn.length).toBeGreaterThanOrEqual(charts);
      for (const count of drawn) expect(count).toBeGreaterThan(2);
      expect(await page.locator('code').first().innerText()).toMatch(/^npm run sim -- run /);
    });

    it('draws packets as arrows: losses end with a cross, what comes again is linked to where it was', async () => {
      await open('sequence.html', ARROWS);
      const arrows = page.locator(ARROWS);
      expect(await arrows.count()).toBe(PACKETS.length);
      expect(await page.locator(`${ARROWS}.gone .cross`).count()).toBe(1);
      expect(await page.locator('.sequence .link').count()).toBe(1);
      const ends = await arrows
        .locator('.arrow')
        .evaluateAll((lines) =>
          lines.map((line) => ['x1', 'y1', 'x2', 'y2'].map((name) => Number(line.getAttribute(name)))),
        );
      const [sent, , lost, again] = ends as [number[], number[], number[], number[]];
      expect([sent[0]! < sent[2]!, sent[1]! < sent[3]!]).toEqual([true, true]); // from the left, and down
      expect(lost[2]).toBeLessThan(sent[2]!);
      expect(again[2]).toBe(sent[2]);

      const detail = page.locator('.sequence-detail');
      const box = (await arrows.nth(3).locator('.hit').boundingBox())!;
      await page.mouse.click(box.x + 200, box.y + (box.height * 200) / box.width);
      expect(await detail.innerText()).toContain('again: chat 7, lost with packet 2');
      await page.locator('.sequence').press('ArrowUp');
      expect(await detail.innerText()).toMatch(
        /payload 2, from client-0[\s\S]*lost in the air[\s\S]*comes again: in packet 3/,
      );
      await page.locator('.sequence').press('ArrowUp');
      expect(await page.locator(`${ARROWS}.told`).count()).toBe(1); // the packet that this one acknowledges
      await page.getByText('The same as a table').click();
      expect(await page.locator('tbody tr').count()).toBe(PACKETS.length);
    });

    it('draws the packets of a run beside its series', async () => {
      await open('run.html');
      await page.getByRole('tab', { name: /Sequence/ }).click();
      await page.locator(ARROWS).first().waitFor({ state: 'attached' }); // a frame after the click
      expect(await page.locator(ARROWS).count()).toBeGreaterThan(100);
      expect(await page.locator(`${ARROWS}.gone`).count()).toBeGreaterThan(0);
      await page.getByLabel('Time scale').selectOption('8');
      const height = (): Promise<number> => page.locator('.sequence svg').evaluate((svg) => svg.clientHeight);
      await expect.poll(height).toBeGreaterThan(15_000);
      expect(complaints).toEqual([]);
    });

    it('is dark where the reader wants it, charts too', async () => {
      await open('sweep.html');
      const light = await background();
      await page.emulateMedia({ colorScheme: 'dark' });
      const cell = await page.locator('canvas').first().screenshot();
      expect(await background()).not.toBe(light);
      await page.emulateMedia({ colorScheme: 'light' });
      expect(cell.equals(await page.locator('canvas').first().screenshot())).toBe(false);
    });

    it('fits a phone: nothing to the right of the screen', async () => {
      await page.setViewportSize(PHONE);
      for (const file of ['sweep.html', 'run.html', 'compare.html']) {
        await open(file);
        expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(PHONE.width);
        for (const count of await colors()) expect(count).toBeGreaterThan(2);
      }
      await open('sequence.html', ARROWS);
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(PHONE.width);
      await page.setViewportSize(DESKTOP);
    });

    function write(name: string, views: readonly ReportView[]): void {
      const [script, style] = ['page.js', 'style.css'].map((file) =>
        readFileSync(join(CLI, '../../report', file), 'utf8'),
      );
      const data: ReportData = { schema: 'tickwire-report/1', title: name, views };
      writeFileSync(join(folder, name), htmlOf(data, { script: script!, style: style! }));
    }

    async function open(file: string, drawn = 'canvas'): Promise<void> {
      const url = pathToFileURL(join(folder, file)).href;
      requests.length = 0;
      await page.goto(url);
      await page.waitForSelector(drawn);
      expect(requests).toEqual([url]);
      expect(complaints).toEqual([]);
    }

    /** How many different colours each chart shows: one is a blank canvas. */
    function colors(): Promise<number[]> {
      return page.evaluate(() =>
        [...document.querySelectorAll('canvas')].map((canvas) => {
          const { width, height } = canvas;
          const copy = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true })!;
          copy.drawImage(canvas, 0, 0);
          return new Set(new Uint32Array(copy.getImageData(0, 0, width, height).data.buffer)).size;
        }),
      );
    }

    function background(): Promise<string> {
      return page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    }

    function sim(...args: readonly string[]): void {
      const { status, stderr } = spawnSync(process.execPath, [CLI, ...args], { encoding: 'utf8', cwd: folder });
      expect([status, stderr]).toEqual([0, '']);
    }
  },
);

function swept(loss: number, seed: string): SweptRun {
  const report = run(seed, [channel('state', 'server', (share) => 50 + loss * share * (1 + SEEDS.indexOf(seed)))]);
  return { cell: { loss }, seed, command: `npm run sim -- run --loss ${loss} --seed ${seed}`, report };
}

function side(label: string, loss: number): ComparedSide {
  const runs = SEEDS.map((seed) => swept(loss, seed));
  return { label, commands: runs.map(({ command }) => command), reports: runs.map(({ report }) => report) };
}

function packet(given: Partial<SequencePacket>): SequencePacket {
  const plain = {
    kind: 'payload',
    bytes: 60,
    ending: 'delivered',
    copiesMs: [],
    corrupted: false,
    carries: [],
  } as const;
  return { up: true, number: null, sentMs: 0, endedMs: 0, acked: [], repeats: [], ...plain, ...given };
}
