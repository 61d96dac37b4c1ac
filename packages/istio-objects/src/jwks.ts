import { isObject } from "./proto-json.ts";

/** What each type of key must have, and which of it only its owner may know. RFC 7518 and RFC 8037. */
const keyTypes: ReadonlyMap<string, { readonly required: readonly string[]; readonly secret: string }> = new Map([
  ["RSA", { required: ["n", "e"], secret: "d" }],
  ["EC", { required: ["crv", "x", "y"], secret: "d" }],
  ["OKP", { required: ["crv", "x"], secret: "d" }],
  ["oct", { required: ["k"], secret: "k" }],
]);

/** What is wrong with a text that should hold a JSON Web Key or a set of them, and which of its keys are secret. */
export interface JwksVerdict {
  readonly fault?: string;
  /** Indexes of keys that sign, where those that verify are wanted. */
  readonly secretKeys: readonly number[];
}

/** Checks the text of a JSON Web Key Set, or of one key (RFC 7517). The members that make a key are checked, not its mathematics. */
export function checkJwks(written: string): JwksVerdict {
  let value: unknown;
  try {
    value = JSON.parse(written);
  } catch {
    return { fault: "is not JSON", secretKeys: [] };
  }
  if (!isObject(value)) return { fault: "is not a JSON Web Key Set", secretKeys: [] };
  const keys = Object.hasOwn(value, "keys") ? value["keys"] : [value];
  if (!Array.isArray(keys)) return { fault: 'its "keys" must be a list', secretKeys: [] };
  const secretKeys: number[] = [];
  for (const [index, key] of (keys as readonly unknown[]).entries()) {
    const fault = keyFault(key);
    if (fault !== undefined) return { fault: `its key ${index} ${fault}`, secretKeys: [] };
    if (isSecret(key)) secretKeys.push(index);
  }
  return { secretKeys };
}

function keyFault(key: unknown): string | undefined {
  if (!isObject(key)) return "is not a map";
  const type = key["kty"];
  const rules = typeof type === "string" ? keyTypes.get(type) : undefined;
  if (rules === undefined) return `must have a kty of ${[...keyTypes.keys()].join(", ")}`;
  const missing = rules.required.find((member) => typeof key[member] !== "string" || key[member] === "");
  if (missing !== undefined) return `lacks "${missing}"`;
  const garbled = rules.required.find((member) => member !== "crv" && !/^[\w+/-]+={0,2}$/.test(String(key[member])));
  return garbled === undefined ? undefined : `has a "${garbled}" that is not base64`;
}

function isSecret(key: unknown): boolean {
  const secret = isObject(key) ? keyTypes.get(String(key["kty"]))?.secret : undefined;
  return isObject(key) && secret !== undefined && Object.hasOwn(key, secret);
}
