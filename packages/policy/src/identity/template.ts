import { dnsLabel } from "./dns-label.ts";

/** What a template may name. */
export interface TemplateValues {
  /** The first label of the hostname: `order-service` of `order-service.prod.svc.cluster.local`. */
  readonly name: string;
  /** The whole hostname. */
  readonly hostname: string;
  readonly namespace: string;
  /** The registry's name, without its provider: `main` of `eureka/main`. */
  readonly registry: string;
}

const placeholder = /\{\{\s*([a-zA-Z]+)\s*\}\}/g;
const known: ReadonlySet<string> = new Set(["name", "hostname", "namespace", "registry"]);

/** What is wrong with a template; `undefined` where nothing is. */
export function templateFault(template: string): string | undefined {
  for (const [, name = ""] of template.matchAll(placeholder))
    if (!known.has(name)) return `{{${name}}} is not one of ${[...known].map((one) => `{{${one}}}`).join(", ")}`;
  if (/[{}]/.test(template.replaceAll(placeholder, ""))) return "braces only stand around a name, as in {{name}}";
  return undefined;
}

/**
 * Fills in a template that makes a hostname or a namespace. Names become DNS labels; `{{hostname}}` keeps its dots. `undefined` where a
 * label would be empty.
 */
export function fillTemplate(template: string, values: TemplateValues): string | undefined {
  const filled = template.replaceAll(placeholder, (_whole, name: string) => {
    switch (name) {
      case "hostname":
        return values.hostname;
      case "namespace":
        return dnsLabel(values.namespace) ?? "";
      case "registry":
        return dnsLabel(values.registry) ?? "";
      default:
        return dnsLabel(values.name) ?? "";
    }
  });
  const labels = filled.split(".").map(dnsLabel);
  return labels.includes(undefined) ? undefined : labels.join(".");
}
