type Fields = Readonly<Record<string, unknown>>;

/** Envoy takes virtual hosts by ADS from this version on; an older one refuses the route table. Source: Envoy's release notes, 1.37. */
const oldest = { major: 1, minor: 37 } as const;

/** Is this node (a decoded message, or its JSON form) an Envoy that can be told virtual hosts one by one on an aggregated stream? */
export function takesVirtualHosts(node: Fields): boolean {
  if (node["userAgentName"] !== "envoy") return false;
  const version = buildVersion(node) ?? textVersion(node);
  if (version === undefined) return false;
  return version.major > oldest.major || (version.major === oldest.major && version.minor >= oldest.minor);
}

interface Version {
  readonly major: number;
  readonly minor: number;
}

function buildVersion(node: Fields): Version | undefined {
  const { version } = recordOf(oneOf(node, "userAgentBuildVersion"));
  const { majorNumber, minorNumber = 0 } = recordOf(version);
  return typeof majorNumber === "number" && typeof minorNumber === "number"
    ? { major: majorNumber, minor: minorNumber }
    : undefined;
}

function textVersion(node: Fields): Version | undefined {
  const text = oneOf(node, "userAgentVersion");
  const [, major, minor] = (typeof text === "string" ? /^(\d{1,9})\.(\d{1,9})\./.exec(text) : undefined) ?? [];
  return major === undefined || minor === undefined ? undefined : { major: Number(major), minor: Number(minor) };
}

/** A member of the choice `user_agent_version_type`. */
function oneOf(node: Fields, name: string): unknown {
  const choice = recordOf(node["userAgentVersionType"]);
  return choice["case"] === name ? choice["value"] : node[name];
}

function recordOf(value: unknown): Fields {
  return typeof value === "object" && value !== null ? (value as Fields) : {};
}
