// Starts the real binary in a directory of its own, on free ports, without keys, and stops it.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';

export const BINARY = resolve(process.env.ARAGORA_BIN ?? 'build/aragora');

const START_MS = 30_000; // a sanitizer build on a busy machine
const STOP_MS = 20_000;

// Gone when the tests of the file are over: a server that a test leaves to its hooks may still write.
export function temporaryDirectory() {
  const dir = mkdtempSync(join(tmpdir(), 'aragora-'));
  process.on('exit', () => rmSync(dir, { recursive: true, force: true, maxRetries: 5 }));
  return dir;
}

export async function freePort() {
  const probe = createServer();
  probe.listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address();
  probe.close();
  await once(probe, 'close');
  return port;
}

// Nothing of the caller's environment but what a process needs: no key, no option.
function cleanEnvironment(dir, extra) {
  const env = { PATH: process.env.PATH, HOME: dir, ARAGORA_DATA_DIR: dir };
  for (const [name, value] of Object.entries(process.env))
    if (/^(ASAN|UBSAN|TSAN|LSAN)_OPTIONS$/.test(name)) env[name] = value;
  return { ...env, ...extra };
}

// Whatever happens to the tests, nothing is left running.
const running = new Set();
process.setMaxListeners(0);
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

export class Process {
  // `under`: a command that runs the program, as its arguments: ['nice', '-n', '5'].
  constructor(args, { env = {}, dir, under = [], program: binary = BINARY }) {
    this.lines = [];
    this.dir = dir;
    const [program, ...rest] = [...under, binary, ...args];
    this.child = spawn(program, rest, {
      cwd: dir,
      env: cleanEnvironment(dir, env),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.exited = once(this.child, 'exit').then(([code, signal]) => ({ code, signal }));
    this.waiters = [];
    running.add(this.child);
    this.exited.then(() => running.delete(this.child));
    for (const stream of [this.child.stdout, this.child.stderr])
      createInterface({ input: stream }).on('line', (line) => this.#take(line));
    this.exited.then(() => this.#give());
  }

  get pid() {
    return this.child.pid;
  }

  #take(line) {
    this.lines.push(line);
    this.#give();
  }

  #give() {
    for (const waiter of this.waiters.splice(0)) waiter();
  }

  // The first line, of those so far or to come, that the pattern matches.
  async line(pattern, ms = START_MS) {
    const deadline = Date.now() + ms;
    for (let at = 0; ; ) {
      for (; at < this.lines.length; at++) {
        const match = pattern.exec(this.lines[at]);
        if (match) return match;
      }
      if (this.child.exitCode !== null || this.child.signalCode !== null || Date.now() > deadline)
        throw new Error(`no line ${pattern}:\n${this.lines.join('\n')}`);
      let timer;
      await Promise.race([
        new Promise((wake) => this.waiters.push(wake)),
        new Promise((wake) => (timer = setTimeout(wake, Math.max(1, deadline - Date.now())))),
      ]);
      clearTimeout(timer);
    }
  }

  // How it ended by itself; one that does not is killed, and that is an error.
  async end(ms = START_MS) {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this.child.kill('SIGKILL');
    }, ms);
    const end = await this.exited;
    clearTimeout(timer);
    if (late) throw new Error(`still running after ${ms} ms:\n${this.lines.join('\n')}`);
    return end;
  }

  async stop(signal = 'SIGTERM') {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill(signal);
    const timer = setTimeout(() => this.child.kill('SIGKILL'), STOP_MS);
    const end = await this.exited;
    clearTimeout(timer);
    this.checkSanitizers();
    return end;
  }

  // Not every report of a sanitizer changes the exit code.
  checkSanitizers() {
    const at = this.lines.findIndex((line) => /runtime error:|(Address|Leak|Thread|UndefinedBehavior)Sanitizer/.test(line));
    if (at >= 0) throw new Error(this.lines.slice(at, at + 60).join('\n'));
  }
}

// A server that answers. Stops, and must have left cleanly, when the test or the file ends.
export async function startServer(t, { args = [], env = {}, dir, wsPort = 0, under, program } = {}) {
  dir ??= temporaryDirectory(t);
  const server = new Process(
    ['server', '--port', '0', '--ws-port', String(wsPort), ...args],
    { env: { ARAGORA_DEMO_TOKEN_RATE: '0', ARAGORA_RATE_LIMIT_REQUESTS: '0', ARAGORA_REGISTER_PER_DAY: '0', ...env }, dir, under, program },
  );
  t?.after(async () => {
    const end = await server.stop();
    if (end.code !== 0 && !server.expectedToDie)
      throw new Error(`the server ended with ${JSON.stringify(end)}:\n${server.lines.join('\n')}`);
  });
  const [, url] = await server.line(/ready version=\S+ url=(http:\/\/\S+)/);
  server.url = url;
  server.port = Number(new URL(url).port);
  server.wsUrl = url.replace(/^http/, 'ws');
  return server;
}

export async function startFakeProvider(t, args = []) {
  const fake = new Process(['fake-provider', '--port', '0', ...args], { dir: temporaryDirectory(t) });
  t?.after(() => fake.stop());
  const [, url] = await fake.line(/listening on (http:\/\/\S+)/);
  fake.url = url;
  return fake;
}
