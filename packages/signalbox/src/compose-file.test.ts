import { existsSync, readFileSync } from "node:fs";
import { basename, dirname, join, posix } from "node:path";
import { parseDocuments } from "@signalbox/files";
import type { Command } from "commander";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { createProgram } from "./cli.ts";
import { loadConfig } from "./config/load.ts";
import { capturedContext } from "./testing/captured-context.ts";

const root = join(import.meta.dirname, "../../..");

const words = z.union([z.string().min(1), z.array(z.string()).min(1)]);
/** Loopback only: an example must open nothing to others. */
const publishedPort = z.string().regex(/^127\.0\.0\.1:\d{1,5}:\d{1,5}$/);
const volume = z.string().regex(/^(\.\/[\w./-]+|[a-z][\w-]*):\/[\w./-]+(:ro)?$/);
const condition = z.strictObject({
  condition: z.enum(["service_started", "service_healthy", "service_completed_successfully"]),
});
const healthcheck = z.strictObject({
  test: z.tuple([z.literal("CMD")], z.string()),
  interval: z.string().regex(/^\d+(ms|s|m)$/),
  retries: z.int().min(1),
});
const service = z
  .strictObject({
    build: z.string().exactOptional(),
    image: z
      .string()
      .regex(/^[a-z0-9./-]+:[\w.-]+$/)
      .exactOptional(),
    profiles: z.array(z.string()).min(1).exactOptional(),
    working_dir: z.string().startsWith("/").exactOptional(),
    command: words.exactOptional(),
    environment: z.record(z.string().regex(/^[A-Z][A-Z0-9_]*$/), z.string()).exactOptional(),
    volumes: z.array(volume).exactOptional(),
    ports: z.array(publishedPort).exactOptional(),
    networks: z.strictObject({ default: z.strictObject({ aliases: z.array(z.string()) }) }).exactOptional(),
    healthcheck: healthcheck.exactOptional(),
    depends_on: z.union([z.array(z.string()), z.record(z.string(), condition)]).exactOptional(),
    privileged: z.boolean().exactOptional(),
  })
  .refine(({ build, image }) => (build === undefined) !== (image === undefined), "either an image or a build");
/** The part of the Compose specification that the file uses. Anything else is a mistake, or has to be added here with care. */
const composeFile = z.strictObject({
  "x-scale-out": z.unknown(),
  services: z.record(z.string().regex(/^[a-z0-9][a-z0-9-]*$/), service),
  volumes: z.record(z.string(), z.null()),
});

const { documents, errors } = parseDocuments(readFileSync(join(root, "docker-compose.yml"), "utf8"), {
  file: "docker-compose.yml",
});
const read = (): z.output<typeof composeFile> => composeFile.parse(documents[0]?.value);

/** The services that run our image with a command of their own. */
function ours() {
  return Object.entries(read().services)
    .filter(([, { build, command }]) => build !== undefined && command !== undefined)
    .map(([name, { command, ...rest }]) => ({ name, args: String(command).split(" "), ...rest }));
}

describe("docker-compose.yml", () => {
  it("has the form that Compose takes", () => {
    expect(errors).toEqual([]);
    expect(composeFile.safeParse(documents[0]?.value).error?.issues).toBeUndefined();
  });

  it("names only services, volumes and files that are there, and no published port twice in one profile", () => {
    const { services, volumes } = read();
    for (const [name, { depends_on: needs = [], profiles, volumes: mounts = [] }] of Object.entries(services)) {
      for (const needed of Array.isArray(needs) ? needs : Object.keys(needs)) {
        expect(services, `${name} needs ${needed}`).toHaveProperty([needed]);
        // A profile starts what it needs: that is in the same profile, or in none.
        expect([undefined, String(profiles)]).toContain(services[needed]?.profiles?.join());
        if (!Array.isArray(needs) && needs[needed]?.condition === "service_healthy")
          expect(services[needed], `${needed} has a check of its health`).toHaveProperty("healthcheck");
      }
      for (const mount of mounts) {
        const [source = ""] = mount.split(":");
        if (source.startsWith(".")) expect(existsSync(join(root, source)), `${name}: ${source}`).toBe(true);
        else expect(volumes, `${name}: ${source}`).toHaveProperty([source]);
      }
    }
    for (const profile of ["nats", "redis"]) {
      const published = Object.values(services)
        .filter(({ profiles = [profile] }) => profiles.includes(profile))
        .flatMap(({ ports = [] }) => ports.map((port) => port.split(":")[1]));
      expect(published).toEqual([...new Set(published)]);
    }
  });

  it("splits discovery and publishing for each engine, two of each, with an Envoy for each publisher", () => {
    const names = Object.keys(read().services);
    for (const engine of ["nats", "redis"])
      for (const part of ["discover", "publish", "envoy"])
        expect(names.filter((name) => name.startsWith(`${engine}-${part}-`))).toHaveLength(2);
    expect(ours()).toHaveLength(8);
  });

  it("gives its containers commands that the program takes", async () => {
    for (const { args, name } of ours()) {
      const program = createProgram(capturedContext(), () => undefined);
      const ran: string[] = [];
      for (const command of program.commands) parsedOnly(command, ran);
      await program.parseAsync(args, { from: "user" });
      expect(ran, name).toEqual([args[0]]);
    }
  });

  it("mounts configuration files that are without fault, for every container", async () => {
    for (const { args, environment = {}, name, volumes = [], working_dir: dir = "" } of ours()) {
      const [mount = ""] = volumes;
      const [source = "", target = ""] = mount.split(":");
      const inContainer = posix.join(dir, args[args.indexOf("--config") + 1] ?? "");
      expect(dirname(inContainer), name).toBe(target);
      const loaded = await loadConfig(join(root, source, basename(inContainer)), environment);
      expect(loaded.warnings).toEqual([]);
      expect(loaded.config.bus).toMatchObject({ type: name.split("-")[0] });
      expect(loaded.config.xds).toMatchObject({ insecure: true, plaintext: { host: "0.0.0.0", port: 15010 } });
      expect(loaded.registries).toHaveLength(1);
    }
  });
});

/** Makes a command note that it was called, with all its flags understood, instead of doing its work. */
function parsedOnly(command: Command, ran: string[]): void {
  command.action(() => void ran.push(command.name()));
}
