#!/usr/bin/env node
import { serversCommand } from "../dist/servers-command.js";

process.exitCode = await serversCommand(process.argv.slice(2));
