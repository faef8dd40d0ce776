// Small libraries in C that are put before the server's own, built when a test needs one.

import { execFileSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { temporaryDirectory } from './server.mjs';

const here = dirname(fileURLToPath(import.meta.url));

// The path of the library made of lib/NAME.c, for LD_PRELOAD.
export function buildPreload(t, name) {
  const library = join(temporaryDirectory(t), `${name}.so`);
  execFileSync(process.env.CC ?? 'cc', ['-shared', '-fPIC', '-O1', '-o', library, join(here, `${name}.c`), '-ldl']);
  return library;
}

// The path of the program made of lib/NAME.c.
export function buildTool(t, name) {
  const tool = join(temporaryDirectory(t), name);
  execFileSync(process.env.CC ?? 'cc', ['-O1', '-o', tool, join(here, `${name}.c`)]);
  return tool;
}
