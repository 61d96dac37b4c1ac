import { defaultTransportLimits } from "../http2/limits.ts";
import type { TransportLimits } from "../http2/limits.ts";
import { GrpcListener } from "../http2/listener.ts";
import type { GrpcListenerOptions } from "../http2/listener.ts";
import type { StreamCall, StreamHandler } from "../transport.ts";

/** A message with its gRPC prefix, as two chunks. */
export function framed(message: Uint8Array): readonly Uint8Array[] {
  const prefix = new Uint8Array(5);
  new DataView(prefix.buffer).setUint32(1, message.length);
  return [prefix, message];
}

/** Sends back each message, in order, one unfinished write at a time. */
export function echoHandler(call: StreamCall): StreamHandler {
  const queue: Uint8Array[] = [];
  let writing = false;
  const next = (): void => {
    const message = queue.shift();
    writing = message !== undefined;
    if (message !== undefined) call.write(framed(message), next);
  };
  return {
    message(bytes) {
      queue.push(Uint8Array.from(bytes));
      if (!writing) next();
    },
    closed() {
      queue.length = 0;
    },
  };
}

/** A listener on a free loopback port, and what it turned away. */
export interface TestListener {
  readonly listener: GrpcListener;
  readonly port: number;
  readonly refusals: string[];
}

/** Starts a listener for a test. Without `accept` it echoes on `/test.Echo/Stream` and knows no other method. */
export async function startListener(
  options: Partial<Pick<GrpcListenerOptions, "accept" | "tls">> & { readonly limits?: Partial<TransportLimits> } = {},
): Promise<TestListener> {
  const refusals: string[] = [];
  const listener = new GrpcListener({
    accept: options.accept ?? ((call) => (call.path === "/test.Echo/Stream" ? echoHandler(call) : undefined)),
    limits: { ...defaultTransportLimits, connectionGraceMs: 200, ...options.limits },
    onRefused: (_peer, reason) => refusals.push(reason),
    ...(options.tls === undefined ? {} : { tls: options.tls }),
  });
  const { port } = await listener.listen(0, "127.0.0.1");
  return { listener, port, refusals };
}
