#!/usr/bin/env node
import { faultsCommand } from "../dist/faults-command.js";

process.exitCode = await faultsCommand(process.argv.slice(2));
