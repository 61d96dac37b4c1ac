import type { Labels } from "@signalbox/model";
import { statuses, type EurekaStatus } from "../config.ts";

/** One instance as Eureka tells it, without what nobody needs. */
export interface EurekaInstance {
  /** Name of the application, in capitals as Eureka keeps it. */
  readonly app: string;
  /** Unique within the application. */
  readonly id: string;
  readonly hostName: string;
  readonly ipAddr: string;
  /** What the server counts in its hash. */
  readonly status: EurekaStatus;
  /** The status after overrides. */
  readonly effectiveStatus: EurekaStatus;
  /** The number as it was sent, also out of range; absent where the port is not enabled. */
  readonly port?: number;
  readonly securePort?: number;
  readonly vips: readonly string[];
  readonly secureVips: readonly string[];
  readonly metadata: Labels;
  /** Availability zone of an Amazon data centre, else empty. */
  readonly availabilityZone: string;
  /**
   * When its client registered it, or last changed what it says of itself, in epoch milliseconds of the client's clock: the same on all
   * servers, and never later than the life of the client. Absent where the server does not say.
   */
  readonly registeredAt?: number;
}

/** One entry of an answer, in its order. */
export interface AnswerEntry {
  readonly key: string;
  readonly instance: EurekaInstance;
  /** The server says that the instance is gone. Its other fields are those of before. */
  readonly deleted: boolean;
  /** It is gone because its lease ran out, and not because anybody deregistered it. */
  readonly lapse?: Lapse;
  /** When the server took the change, in epoch milliseconds of its clock; 0 where it does not say. */
  readonly updatedAt: number;
}

/** The end of a lease that nobody renewed. */
export interface Lapse {
  /** How long the lease was. */
  readonly leaseMs: number;
  /** When the server ended it, in epoch milliseconds of its clock. */
  readonly at: number;
}

/** An entry that cannot be read as an instance. */
export interface UnreadableEntry {
  /** Where it is, for logs. */
  readonly at: string;
  readonly reason: string;
  /** What the server counts in its hash for it. */
  readonly status: EurekaStatus;
}

/** One whole answer of `/apps` or `/apps/delta`. */
export interface EurekaAnswer {
  readonly entries: readonly AnswerEntry[];
  readonly unreadable: readonly UnreadableEntry[];
  /** `apps__hashcode`; absent where the server offers none. */
  readonly hash: string | undefined;
}

/** What identifies an instance in one Eureka. */
export function instanceKeyOf({ app, id }: Pick<EurekaInstance, "app" | "id">): string {
  return JSON.stringify([app, id]);
}

/**
 * Reads the JSON of `/apps` (`full`) or `/apps/delta`, of old servers and new ones: a lone application or instance may
 * stand without its list, numbers may be texts. Throws a SyntaxError when the body is not JSON or holds no `applications`:
 * such an answer says nothing. A single entry that makes no sense does not hide the others.
 */
export function parseAnswer(body: string, kind: "full" | "delta"): EurekaAnswer {
  const root = member(JSON.parse(body) as unknown, "applications");
  if (!isMap(root)) throw new SyntaxError("the answer has no `applications`");
  const hash = textOf(root["apps__hashcode"]);
  const applications = root["application"];
  // Old servers leave the list out where it would be empty. In a full answer only an empty hash proves that.
  if (applications == undefined && kind === "full" && hash !== "") {
    throw new SyntaxError("the answer has no `applications.application`");
  }
  const entries: AnswerEntry[] = [];
  const unreadable: UnreadableEntry[] = [];
  for (const [index, application] of listOf(applications).entries()) {
    const name = textOf(member(application, "name")) ?? "";
    if (!isMap(application)) unreadable.push({ at: `application[${index}]`, reason: "is no map", status: "UNKNOWN" });
    else {
      for (const [position, value] of listOf(application["instance"]).entries()) {
        const entry = entryOf(value, name);
        if (typeof entry !== "string") entries.push(entry);
        else {
          const at = `application[${index}] ${JSON.stringify(name)}, instance[${position}]`;
          unreadable.push({ at, reason: entry, status: statusOf(member(value, "status")) });
        }
      }
    }
  }
  return { entries, unreadable, hash };
}

/**
 * Reads the JSON of `/apps/<app>/<id>`. `leaseUntil`: when the lease runs out if nobody renews it, in epoch milliseconds of the server's clock;
 * absent where the server does not say. Throws a SyntaxError when it is no instance.
 */
export function parseInstance(body: string): { readonly instance: EurekaInstance; readonly leaseUntil?: number } {
  const value = member(JSON.parse(body) as unknown, "instance");
  const entry = entryOf(value, "");
  if (typeof entry === "string") throw new SyntaxError(`the instance ${entry}`);
  const lease = member(value, "leaseInfo");
  const renewedAt = numberOf(member(lease, "lastRenewalTimestamp"));
  // The same sum as where the server ends leases, and where `lapseOf` says what the two numbers are.
  const leaseUntil = renewedAt + numberOf(member(lease, "durationInSecs")) * 1000;
  return { instance: entry.instance, ...(renewedAt > 0 && Number.isFinite(leaseUntil) && { leaseUntil }) };
}

/** The entry, or why it is none. */
function entryOf(value: unknown, applicationName: string): AnswerEntry | string {
  if (!isMap(value)) return "is no map";
  const app = (textOf(value["app"]) ?? applicationName).toUpperCase();
  const hostName = textOf(value["hostName"]) ?? "";
  const dataCenter = member(value["dataCenterInfo"], "metadata");
  // The order in which Eureka itself looks for an id.
  const id = [textOf(value["instanceId"]), textOf(member(dataCenter, "instance-id")), hostName].find(Boolean);
  if (app === "") return "has no app";
  if (id === undefined) return "has neither instanceId nor hostName";
  const status = statusOf(value["status"]);
  const port = portOf(value["port"], true);
  const securePort = portOf(value["securePort"], false);
  const registeredAt = numberOf(value["lastDirtyTimestamp"]);
  const instance: EurekaInstance = {
    app,
    id,
    hostName,
    ipAddr: textOf(value["ipAddr"]) ?? "",
    status,
    effectiveStatus: effective(status, value["overriddenStatus"] ?? value["overriddenstatus"]),
    ...(port !== undefined && { port }),
    ...(securePort !== undefined && { securePort }),
    vips: vipsOf(value["vipAddress"]),
    secureVips: vipsOf(value["secureVipAddress"]),
    metadata: metadataOf(value["metadata"]),
    availabilityZone: textOf(member(dataCenter, "availability-zone")) ?? "",
    ...(Number.isSafeInteger(registeredAt) && registeredAt > 0 && { registeredAt }),
  };
  const updatedAt = numberOf(value["lastUpdatedTimestamp"]);
  const deleted = value["actionType"] === "DELETED";
  const lapse = deleted ? lapseOf(value["leaseInfo"]) : undefined;
  return {
    key: instanceKeyOf(instance),
    instance,
    deleted,
    ...(lapse !== undefined && { lapse }),
    updatedAt: Number.isFinite(updatedAt) ? updatedAt : 0,
  };
}

/**
 * Whether a lease had run out when it was ended. The server notes an eviction time for each deletion, also for one that a
 * client asked for; but a client that asks still has its lease. What it calls the last renewal is the time of that
 * and, after the first one, the length of the lease, just as in the comparison that the server makes itself.
 */
function lapseOf(lease: unknown): Lapse | undefined {
  const leaseMs = numberOf(member(lease, "durationInSecs")) * 1000;
  const renewedAt = numberOf(member(lease, "lastRenewalTimestamp"));
  const at = numberOf(member(lease, "evictionTimestamp"));
  // Where one of them is missing, it is not a number, which is greater than nothing.
  return at > renewedAt + leaseMs && renewedAt > 0 ? { leaseMs, at } : undefined;
}

/**
 * An override stands above what the instance says, unless it is UNKNOWN, which means that there is none. One thing it
 * cannot do, as in the server's own rule: call an instance UP that says itself that it is DOWN or STARTING.
 */
function effective(status: EurekaStatus, override: unknown): EurekaStatus {
  const overridden = statusOf(override);
  if (overridden === "UNKNOWN") return status;
  return overridden === "UP" && (status === "DOWN" || status === "STARTING") ? status : overridden;
}

const known: ReadonlySet<string> = new Set(statuses);

function statusOf(value: unknown): EurekaStatus {
  const name = (textOf(value) ?? "").toUpperCase();
  return known.has(name) ? (name as EurekaStatus) : "UNKNOWN";
}

/** `{"$": 8080, "@enabled": "true"}`, or a bare number. NaN where it is enabled but no number. */
function portOf(value: unknown, enabledByDefault: boolean): number | undefined {
  if (value == undefined) return undefined;
  const flag = member(value, "@enabled") ?? enabledByDefault;
  if (flag !== true && flag !== "true") return undefined;
  return numberOf(isMap(value) ? value["$"] : value);
}

function vipsOf(value: unknown): readonly string[] {
  const names = (textOf(value) ?? "").split(",").map((name) => name.trim().toLowerCase());
  return [...new Set(names.filter((name) => name !== ""))];
}

function metadataOf(value: unknown): Labels {
  if (!isMap(value)) return {};
  const entries = Object.entries(value).flatMap(([key, one]): [string, string][] => {
    const text = textOf(one);
    // `@class` tells Java's XML reader which map to make.
    return text === undefined || key === "@class" ? [] : [[key, text]];
  });
  return Object.fromEntries(entries);
}

/** Texts, and what stands in for them: old servers send numbers and booleans as either. */
function textOf(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  return typeof value === "number" || typeof value === "boolean" ? String(value) : undefined;
}

function numberOf(value: unknown): number {
  if (typeof value === "number") return value;
  return typeof value === "string" && /^-?\d+$/.test(value.trim()) ? Number(value) : Number.NaN;
}

function listOf(value: unknown): readonly unknown[] {
  if (value == undefined) return [];
  return Array.isArray(value) ? value : [value];
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function member(value: unknown, name: string): unknown {
  return isMap(value) && Object.hasOwn(value, name) ? value[name] : undefined;
}
