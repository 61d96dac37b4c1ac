#!/usr/bin/env node
import { benchCommand } from "../dist/bench-command.js";

process.exitCode = await benchCommand(process.argv.slice(2));
