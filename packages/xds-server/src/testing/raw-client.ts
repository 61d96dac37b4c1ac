import { once } from "node:events";
import { connect } from "node:net";
import type { Socket } from "node:net";

/** What an HTTP/2 client sends first. Source: RFC 9113, 3.4. */
export const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

/** Frame types by name. Source: RFC 9113, 6. */
export const frameType = { data: 0, headers: 1, reset: 3, settings: 4, ping: 6, goAway: 7, windowUpdate: 8 } as const;

/** An HTTP/2 frame; `length` may lie. */
export function rawFrame(type: number, flags: number, stream: number, payload: Uint8Array, length?: number): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(length ?? payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** A header block of literals without Huffman code and without indexing. Source: RFC 7541, 6.2.2. */
function headerBlock(headers: readonly (readonly [string, string])[]): Buffer {
  const text = (value: string): Buffer => Buffer.concat([Buffer.of(value.length), Buffer.from(value)]);
  return Buffer.concat(headers.flatMap(([name, value]) => [Buffer.of(0), text(name), text(value)]));
}

/** The HEADERS frame that opens a gRPC call and leaves it open. */
export function callFrame(stream: number, path = "/test.Echo/Stream"): Buffer {
  const block = headerBlock([
    [":method", "POST"],
    [":scheme", "http"],
    [":path", path],
    [":authority", "test"],
    ["content-type", "application/grpc"],
    ["te", "trailers"],
  ]);
  return rawFrame(frameType.headers, 4, stream, block);
}

/** A TCP client that speaks whatever the test writes. */
export interface RawClient {
  readonly socket: Socket;
  /** Everything received so far. */
  readonly received: () => Buffer;
  readonly closed: () => boolean;
}

/** Connects and sends `bytes`. The client reads all it gets, and closes only when the server does. */
export async function rawClient(port: number, bytes: Uint8Array = new Uint8Array()): Promise<RawClient> {
  const socket = connect(port, "127.0.0.1");
  const chunks: Buffer[] = [];
  let closed = false;
  socket.on("data", (chunk) => chunks.push(chunk));
  socket.on("error", () => {
    // "close" follows.
  });
  socket.on("close", () => (closed = true));
  await once(socket, "connect");
  if (bytes.length > 0) socket.write(bytes);
  return { socket, received: () => Buffer.concat(chunks), closed: () => closed };
}
