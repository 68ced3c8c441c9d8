/** A NAT in miniature: one client inside, one upstream socket at a time, which can be another one at any moment. */

import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';

export class Nat {
  readonly port: number;
  readonly #inside: Socket;
  readonly #serverPort: number;
  #outside: Socket;
  #client = 0;

  private constructor(inside: Socket, outside: Socket, serverPort: number) {
    this.#inside = inside;
    this.#outside = outside;
    this.#serverPort = serverPort;
    this.port = inside.address().port;
    inside.on('message', (bytes, { port }) => {
      this.#client = port;
      this.#outside.send(bytes, this.#serverPort, '127.0.0.1');
    });
    this.#forward();
  }

  static async open(serverPort: number): Promise<Nat> {
    return new Nat(await bound(), await bound(), serverPort);
  }

  /** Forgets the mapping: from now on the client comes from another port, and what goes to the old one is lost. */
  async move(): Promise<void> {
    const next = await bound();
    this.#outside.close();
    this.#outside = next;
    this.#forward();
  }

  close(): void {
    this.#inside.close();
    this.#outside.close();
  }

  #forward(): void {
    this.#outside.on('message', (bytes) => {
      if (this.#client !== 0) this.#inside.send(bytes, this.#client, '127.0.0.1');
    });
  }
}

async function bound(): Promise<Socket> {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return socket;
}
