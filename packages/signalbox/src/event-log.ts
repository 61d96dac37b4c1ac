import type { Logger } from "@signalbox/registry";
import type { FilePublisherEvent, XdsEvent } from "@signalbox/xds-server";

/** A logger that adds fields to everything it says. */
export function withFields(logger: Logger, fields: object): Logger {
  return {
    ...(logger.debugEnabled !== undefined && { debugEnabled: logger.debugEnabled }),
    debug: (event, more) => logger.debug(event, { ...fields, ...more }),
    info: (event, more) => logger.info(event, { ...fields, ...more }),
    warn: (event, more) => logger.warn(event, { ...fields, ...more }),
    error: (event, more) => logger.error(event, { ...fields, ...more }),
  };
}

const debugEvents: ReadonlySet<XdsEvent["type"]> = new Set(["acked", "sent", "stale-nonce", "stream-open"]);

/** Logs what happens on the xDS server. What each client does all the time is on level debug. */
export function xdsEventLog(logger: Logger): (event: XdsEvent) => void {
  return (event) => {
    // A change makes as many of these as there are clients.
    if (logger.debugEnabled === false && debugEvents.has(event.type)) return;
    const { type: _, ...fields } = event;
    switch (event.type) {
      case "nacked":
        logger.warn("xds-nacked", fields);
        return;
      case "removed-despite-refusal":
        logger.warn("xds-removed-despite-refusal", fields);
        return;
      case "refused":
        logger.warn("xds-refused", fields);
        return;
      case "certificates":
        if (event.error === undefined) logger.info("xds-certificates-reloaded", fields);
        else logger.error("xds-certificates-rejected", fields);
        return;
      case "stream-node":
        logger.info("xds-client-connected", fields);
        return;
      case "stream-close":
        logger.info("xds-client-gone", fields);
        return;
      case "stream-open":
        logger.debug("xds-stream-open", fields);
        return;
      case "sent":
        logger.debug("xds-sent", fields);
        return;
      case "acked":
        logger.debug("xds-acked", fields);
        return;
      case "stale-nonce":
        logger.debug("xds-stale-nonce", fields);
    }
  };
}

/** Logs what happens to the published files. */
export function filesEventLog(logger: Logger): (event: FilePublisherEvent) => void {
  return (event) => {
    const { type, ...fields } = event;
    switch (type) {
      case "files-published":
        logger.debug("xds-files-published", fields);
        return;
      case "file-resource-skipped":
        logger.error("xds-file-resource-skipped", fields);
        return;
      case "files-failed":
        logger.error("xds-files-failed", fields);
    }
  };
}
