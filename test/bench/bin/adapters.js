#!/usr/bin/env node
import { adaptersCommand } from "../dist/adapters-command.js";

process.exitCode = await adaptersCommand(process.argv.slice(2));
