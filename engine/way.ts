/** Which way a server's or client's datagrams go, as a person reads it. */

import type { DatagramSocket, SocketWay, Sys } from '../sys/api.ts';

/** Backends of `Capabilities` by the word that asks for them. */
const ASKED_AS: Readonly<Record<string, string>> = { linux: 'udp', kqueue: 'udp', iocp: 'udp' };

/** What the socket says of itself, or else its `Sys`. */
export function wayOf(socket: DatagramSocket, { capabilities }: Pick<Sys, 'capabilities'>): SocketWay {
  const { backend } = capabilities;
  const asked = ASKED_AS[backend] ?? backend;
  return socket.way?.() ?? { backend: asked, details: asked === backend ? '' : backend, fallback: '' };
}
