/**
 * Bundles the page of reports into dist/sim/report/, where html-report.ts finds it. Part of `npm run build`; does nothing
 * while its result is newer than all that it is made of.
 */

import { mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const ROOT = join(HERE, '../../..');
const OUT = join(ROOT, 'dist/sim/report');
const RESULTS = ['page.js', 'style.css'].map((name) => join(OUT, name));
const echarts = JSON.parse(readFileSync(join(ROOT, 'node_modules/echarts/package.json'), 'utf8'));

const sources = [HERE, join(HERE, '..')].flatMap((folder) =>
  readdirSync(folder)
    .filter((name) => /\.(ts|css|mjs)$/.test(name))
    .map((name) => join(folder, name)),
);
const changedAt = (file) => statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
const newest = Math.max(...[...sources, join(ROOT, 'node_modules/echarts/package.json')].map(changedAt));

if (Math.min(...RESULTS.map(changedAt)) <= newest) {
  mkdirSync(OUT, { recursive: true });
  await build({
    entryPoints: { page: join(HERE, 'main.ts'), style: join(HERE, 'page.css') },
    entryNames: '[name]',
    outdir: OUT,
    bundle: true,
    minify: true,
    format: 'iife',
    target: ['es2022', 'chrome100', 'firefox100', 'safari15'],
    define: { 'process.env.NODE_ENV': '"production"' },
    legalComments: 'none',
    banner: {
      // What is redistributed inside a report, as its licences ask.
      js: `/*! Contains Apache ECharts ${echarts.version}, Copyright 2017-2026 The Apache Software Foundation (Apache License 2.0,
https://www.apache.org/licenses/LICENSE-2.0), ZRender, Copyright 2017 Baidu Inc. (BSD 3-Clause) and tslib (0BSD). */`,
    },
    logLevel: 'warning',
  });
}
