#!/usr/bin/env node
// The program `uam`.
import { packageEngine } from './package_engine.js';
import { runProgram } from './program.js';

runProgram(process.argv.slice(2), async () => packageEngine).then((code) => {
  // After a signal nothing is waited for; otherwise the process ends by itself, when everything is printed.
  if (code >= 128) process.exit(code);
  process.exitCode = code;
});
