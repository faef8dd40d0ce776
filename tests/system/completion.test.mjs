// What is made of the table of commands and the table of options: completions for shells, sourced and
// asked, and the page of the manual, through groff.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { describe, test } from 'node:test';

import { BINARY } from './lib/server.mjs';

const aragora = (...args) => execFileSync(BINARY, args, { encoding: 'utf8', env: { NO_COLOR: '1', COLUMNS: '200', PATH: process.env.PATH } });
const COMMANDS = aragora('help').split('Commands\n')[1].split('\n\n')[0].split('\n').map((line) => line.trim().split(/\s+/)[0]);
const has = (program) => !spawnSync(program, ['--version']).error;

// What bash would offer for the last word.
function offered(...words) {
  const script = 'source <("$1" completion bash); shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _aragora; printf "%s\\n" "${COMPREPLY[@]}"';
  return execFileSync('bash', ['--norc', '-uc', script, 'bash', BINARY, ...words], { encoding: 'utf8' }).split('\n').filter(Boolean);
}

describe('completion', () => {
  test('bash: a command, its words, an option, and values that are enumerated', () => {
    assert.deepEqual(offered('aragora', ''), COMMANDS);
    assert.deepEqual(offered('aragora', 'deb'), ['debates']);
    assert.deepEqual(offered('aragora', 'debates', ''), ['list', 'show', 'watch', 'delete', 'share', 'unshare']);
    assert.deepEqual(offered('aragora', 'backup', 've'), ['verify']);
    assert.deepEqual(offered('aragora', 'config', ''), ['show', 'get', 'validate', 'path']);
    assert.deepEqual(offered('aragora', 'batch', ''), []);
    assert.deepEqual(offered('aragora', 'server', '--ws-p'), ['--ws-port']);
    assert.deepEqual(offered('aragora', 'serve', '--ws-p'), ['--ws-port']);
    assert.deepEqual(offered('aragora', 'debates', 'list', '--stat'), ['--status']);
    assert.deepEqual(offered('aragora', 'debates', 'list', '--status', ''), ['pending', 'running', 'completed', 'failed', 'cancelled']);
    assert.deepEqual(offered('aragora', 'debates', 'list', '--status', '=', 'c'), ['completed', 'cancelled']);
    assert.deepEqual(offered('aragora', 'debates', 'list', '--status', '='), ['pending', 'running', 'completed', 'failed', 'cancelled']);
    assert.deepEqual(offered('aragora', 'serve', '--log-format', ''), ['json', 'text']);
    assert.deepEqual(offered('aragora', 'debates', '--limit', ''), []); // a number
    assert.deepEqual(offered('aragora', 'completion', ''), ['bash', 'zsh', 'fish']);
  });

  test('every option of every command is offered', () => {
    for (const command of COMMANDS.filter((name) => name !== 'fake-provider')) {
      const flags = [...aragora('help', command).matchAll(/^ {2}(?: {4}|-\w, )(--[a-z0-9-]+)/gm)].map(([, flag]) => flag);
      assert.deepEqual(offered('aragora', command, '--').sort(), flags.sort(), command);
    }
  });

  for (const [shell, check] of [['zsh', ['-n']], ['fish', ['--no-execute']]])
    test(`${shell} can read its own`, { skip: !has(shell) && `${shell} is not here` }, () => {
      const { status, stderr } = spawnSync(shell, check.concat('/dev/stdin'), { input: aragora('completion', shell), encoding: 'utf8' });
      assert.deepEqual([status, stderr], [0, '']);
    });

  test('no other shell', () => {
    for (const args of [[], ['tcsh'], ['bash', 'zsh']]) {
      const { status, stderr } = spawnSync(BINARY, ['completion', ...args], { encoding: 'utf8' });
      assert.equal(status, 2);
      assert.match(stderr, /bash, zsh or fish/);
    }
  });
});

describe('man', () => {
  const page = aragora('man');

  test('groff finds nothing wrong', { skip: !has('groff') && 'groff is not here' }, () => {
    const { status, stderr, stdout } = spawnSync('groff', ['-ww', '-man', '-Tutf8'], { input: page, encoding: 'utf8' });
    assert.deepEqual([status, stderr], [0, '']);
    assert.match(stdout, /server in which language models debate a question/);
  });

  test('it has every command, option and exit code', () => {
    const text = page.replaceAll('\\-', '-').replaceAll('\\e', '\\');
    for (const command of COMMANDS) assert.match(text, new RegExp(`^\\.SS aragora ${command}\\b`, 'm'));
    for (const [flag] of aragora('help', 'server').matchAll(/--[a-z0-9-]+/g)) assert.ok(text.includes(flag), flag);
    for (const [, code] of aragora('help', 'exit-codes').matchAll(/^ {2}(\d+)/gm)) assert.ok(text.includes(`\\fB${code}\\fR`), code);
    assert.ok(text.includes('source <(aragora completion bash)'));
  });
});
