#!/usr/bin/env node
import { storyCommand } from "../dist/story-command.js";

process.exitCode = await storyCommand();
