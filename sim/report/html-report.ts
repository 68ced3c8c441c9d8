/**
 * Writes a report as one file that needs nothing else: data, program and style are in it, and it may not reach for more.
 *
 * The policy in its head forbids every request, and every script but the one that is written here, by its hash.
 */

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { ReportData } from './report-data.ts';
import { writeWhole } from './write-whole.ts';

/** The page's program and style. */
export interface Page {
  readonly script: string;
  readonly style: string;
}

/** Writes the report to `file`, whole or not at all. Throws what the file system throws. */
export function writeHtmlReport(file: string, data: ReportData): void {
  writeWhole(file, htmlOf(data, builtPage()));
}

/** The file's text. */
export function htmlOf(data: ReportData, { script, style }: Page): string {
  const program = safeInScript(script);
  const hash = createHash('sha256').update(program).digest('base64');
  const policy = `default-src 'none'; script-src 'sha256-${hash}'; style-src 'unsafe-inline'; img-src data:`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="tickwire sim">
<title>${textOf(data.title)}</title>
<style>${style.replaceAll('</style', '<\\/style')}</style>
</head>
<body>
<noscript>This report draws its charts with the script inside it: allow scripts for this file.</noscript>
<main id="report"></main>
<script type="application/json" id="data">${jsonInScript(data)}</script>
<script>${program}</script>
</body>
</html>
`;
}

/** What the build has put beside this file. */
function builtPage(): Page {
  const read = (name: string): string => readFileSync(new URL(`./${name}`, import.meta.url), 'utf8');
  return { script: read('page.js'), style: read('style.css') };
}

/** JSON in which no `<` stands: neither the end of a script nor a comment can begin in it. */
function jsonInScript(data: ReportData): string {
  return JSON.stringify(data).replaceAll('<', '\\u003c');
}

/** Program text in which no script ends and no comment begins: both stand in strings there, where `\\x3c` says the same. */
function safeInScript(script: string): string {
  return script.replace(/<(?=\/script|!--)/gi, '\\x3c');
}

function textOf(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
