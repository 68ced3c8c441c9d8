/**
 * Stands for the game's backend: `POST /token` with `{"name": "..."}` answers with a connect token.
 *
 * A real backend checks who is asking; this one lets everybody in, and so listens on loopback only. The answer is
 * `{"token": base64 of 2,048 bytes}`.
 */

import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mintToken, type TokenOptions } from 'tickwire';

/** A name and nothing else: anything longer is not ours. */
const BODY_BYTES_MAX = 1024;
const NAME_BYTES_MAX = 24;

export interface TokenEndpoint {
  /** `http://127.0.0.1:port/token`. */
  readonly url: string;
  close(): Promise<void>;
}

export async function openTokenEndpoint(
  port: number,
  grant: Pick<TokenOptions, 'privateKey' | 'protocolId' | 'addresses'>,
): Promise<TokenEndpoint> {
  const http = createServer((request, response) => {
    answer(request, response, grant).catch((error: Error) => {
      response.writeHead(500, { 'content-type': 'text/plain' }).end(`${error.message}\n`);
    });
  });
  http.listen(port, '127.0.0.1');
  await once(http, 'listening'); // rejects on 'error': port in use
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}/token`;
  const close = async () => {
    http.close();
    http.closeAllConnections();
    await once(http, 'close');
  };
  return { url, close };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  grant: Pick<TokenOptions, 'privateKey' | 'protocolId' | 'addresses'>,
): Promise<void> {
  if (request.url !== '/token') return refuse(response, 404, 'there is only POST /token');
  if (request.method !== 'POST') return refuse(response, 405, 'use POST /token');
  const name = await readName(request);
  if (name === null) return refuse(response, 400, 'the body must be {"name": "..."} of at most 1,024 bytes');
  const token = await mintToken({
    ...grant,
    clientId: randomBytes(8).readBigUInt64LE(),
    userData: new TextEncoder().encode(name).subarray(0, NAME_BYTES_MAX),
  });
  response.writeHead(200, { 'content-type': 'application/json', 'cache-control': 'no-store' });
  response.end(JSON.stringify({ token: Buffer.from(token).toString('base64') }));
}

function refuse(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': 'text/plain', connection: 'close' }).end(`${text}\n`);
}

async function readName(request: IncomingMessage): Promise<string | null> {
  let body = '';
  request.setEncoding('utf8');
  for await (const piece of request) {
    body += piece;
    if (body.length > BODY_BYTES_MAX) return null;
  }
  try {
    const { name } = JSON.parse(body) as { name?: unknown };
    return typeof name === 'string' ? name : null;
  } catch {
    return null; // not JSON: the caller answers 400
  }
}

/** Fetches a token from such an endpoint: what `Client.connect({ token })` calls. */
export async function fetchToken(url: string, name: string): Promise<Uint8Array> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ name }),
  });
  if (!response.ok) throw new Error(`${url} answered ${response.status}: ${(await response.text()).trim()}`);
  const { token } = (await response.json()) as { token: string };
  return new Uint8Array(Buffer.from(token, 'base64'));
}
