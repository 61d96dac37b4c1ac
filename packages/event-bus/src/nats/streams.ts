import { DiscardPolicy, RetentionPolicy, StorageType } from "@nats-io/jetstream";
import type { StreamConfig } from "@nats-io/jetstream";
import { nanos } from "@nats-io/transport-node";
import type { Session } from "./connection.ts";
import { isNotFound, isOtherStream } from "./errors.ts";
import type { StreamName } from "./names.ts";

/** What all streams have in common: files, because a sequence that begins anew could not be told from the old one. */
function onDisk({ stream, subject }: StreamName, replicas: 1 | 3) {
  return {
    name: stream,
    subjects: [subject],
    storage: StorageType.File,
    retention: RetentionPolicy.Limits,
    num_replicas: replicas,
  };
}

/** A stream that holds its latest message only, for `maxAgeMs` or for ever. */
export function recordStream(name: StreamName, replicas: 1 | 3, maxAgeMs?: number): StreamSettings {
  return {
    ...onDisk(name, replicas),
    max_msgs_per_subject: 1,
    ...(maxAgeMs !== undefined && {
      max_age: nanos(maxAgeMs),
      // The server wants no longer memory for message ids than for messages.
      duplicate_window: nanos(Math.min(maxAgeMs, 120_000)),
    }),
  };
}

/** A stream that refuses what does not fit, instead of forgetting its beginning. */
export function logStream(name: StreamName, replicas: 1 | 3, maxBytes?: number): StreamSettings {
  return {
    ...onDisk(name, replicas),
    discard: DiscardPolicy.New,
    ...(maxBytes !== undefined && { max_bytes: maxBytes }),
  };
}

/** The settings of a stream that the bus decides about. */
export type StreamSettings = Partial<StreamConfig> & Pick<StreamConfig, "name">;

/** Makes a stream, or gives these settings to the one that exists. */
export async function ensureStream({ manager }: Session, settings: StreamSettings): Promise<void> {
  try {
    await manager.streams.add(settings);
  } catch (error) {
    if (!isOtherStream(error)) throw error;
    await manager.streams.update(settings.name, settings);
  }
}

/** The latest message of a stream that holds one subject. */
export interface StoredRecord {
  readonly sequence: number;
  readonly text: string;
}

/** Reads the latest message, from the server that decides about the stream. Undefined where there is none, or no stream. */
export async function readRecord({ manager }: Session, name: StreamName): Promise<StoredRecord | undefined> {
  try {
    const message = await manager.streams.getMessage(name.stream, { last_by_subj: name.subject });
    return message === null ? undefined : { sequence: message.seq, text: message.string() };
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

/** Writes a message if the latest one still has this sequence; 0 where there must be none. Rejects with a conflict otherwise. */
export async function replaceRecord(
  { streams }: Session,
  name: StreamName,
  text: string,
  sequence: number,
): Promise<void> {
  const expect = { streamName: name.stream, lastSubjectSequence: sequence };
  await streams.publish(name.subject, text, { expect });
}
