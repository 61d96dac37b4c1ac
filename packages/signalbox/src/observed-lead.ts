import type { ChangeEvent, EventBus } from "@signalbox/event-bus";
import type { Catalog } from "@signalbox/model";

/**
 * A bus that tells of everything that is published over it, in the form in which consumers get it. Whoever is told may take a while: the next
 * publication waits for it.
 */
export function observedLead(
  bus: Pick<EventBus, "lead">,
  onEvent: (event: ChangeEvent) => unknown,
): Pick<EventBus, "lead"> {
  return {
    lead: async (snapshot, signal) => {
      let content: Omit<Catalog, "revision"> | undefined;
      const writer = await bus.lead(() => (content = snapshot()), signal);
      let previous = { epoch: writer.epoch, sequence: 0 };
      if (content !== undefined)
        await onEvent({ v: 1, type: "snapshot", catalog: { ...mapsOf(content), revision: previous } });
      return {
        epoch: writer.epoch,
        over: writer.over,
        publish: async (delta) => {
          const revision = await writer.publish(delta);
          if (revision.sequence !== previous.sequence)
            await onEvent({ v: 1, type: "delta", previous, revision, delta });
          previous = revision;
          return revision;
        },
      };
    },
  };
}

/** The maps by name: what a writer gives may be a class that only shows them. */
function mapsOf({ entries, objects, workloads }: Omit<Catalog, "revision">): Omit<Catalog, "revision"> {
  return { entries, workloads, objects };
}
