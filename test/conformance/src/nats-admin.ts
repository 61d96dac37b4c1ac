import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import type { JetStreamClient, JetStreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import type { ConnectionOptions } from "@nats-io/transport-node";

/** Does something to a NATS server as its operator would, with a plain client. */
export async function administer<T>(
  options: ConnectionOptions & { readonly servers: string },
  act: (manager: JetStreamManager, client: JetStreamClient) => Promise<T>,
): Promise<T> {
  const connection = await connect(options);
  try {
    return await act(await jetstreamManager(connection, { checkAPI: false }), jetstream(connection));
  } finally {
    await connection.close();
  }
}

/** The names of all streams of logs. */
export async function logStreams(manager: JetStreamManager): Promise<readonly string[]> {
  const names: string[] = [];
  for await (const name of manager.streams.names()) if (name.includes("_LOG_")) names.push(name);
  return names;
}
