// nginx with TLS and HTTP/2 in front of a plain server, and an authority of our own to sign it.

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';

import { freePort, temporaryDirectory } from './server.mjs';

const NGINX = ['/usr/sbin/nginx', '/usr/local/sbin/nginx', '/usr/bin/nginx'].find(existsSync);
export const hasNginx = NGINX !== undefined;

function makeCertificates(dir) {
  const openssl = (...args) => execFileSync('openssl', args, { cwd: dir, stdio: 'pipe' });
  openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2',
    '-subj', '/CN=Aragora test authority', '-keyout', 'ca.key', '-out', 'ca.pem');
  openssl('req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-subj', '/CN=localhost',
    '-keyout', 'server.key', '-out', 'server.csr');
  writeFileSync(join(dir, 'names.ext'), 'subjectAltName=DNS:localhost,IP:127.0.0.1\n');
  openssl('x509', '-req', '-in', 'server.csr', '-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2',
    '-extfile', 'names.ext', '-out', 'server.pem');
}

function configuration(dir, port, upstream) {
  return `
daemon off; master_process off; pid ${dir}/nginx.pid; error_log ${dir}/error.log;
events { worker_connections 256; }
http {
  access_log ${dir}/access.log combined; client_body_temp_path ${dir}/tmp; proxy_temp_path ${dir}/tmp;
  fastcgi_temp_path ${dir}/tmp; uwsgi_temp_path ${dir}/tmp; scgi_temp_path ${dir}/tmp;
  server {
    listen 127.0.0.1:${port} ssl http2; server_name localhost;
    ssl_certificate ${dir}/server.pem; ssl_certificate_key ${dir}/server.key;
    location / {
      proxy_pass ${upstream}; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off;
    }
  }
}
`;
}

async function answers(port, ms) {
  for (const deadline = Date.now() + ms; Date.now() < deadline; ) {
    const socket = connect(port, '127.0.0.1');
    const open = await Promise.race([once(socket, 'connect').then(() => true), once(socket, 'error').then(() => false)])
      .catch(() => false);
    socket.destroy();
    if (open) return true;
  }
  return false;
}

// {url, ca, requests()}: the lines that nginx logged, with the protocol each request came by.
export async function startTlsProxy(t, upstream) {
  const dir = temporaryDirectory(t);
  const port = await freePort();
  mkdirSync(join(dir, 'tmp'));
  makeCertificates(dir);
  writeFileSync(join(dir, 'nginx.conf'), configuration(dir, port, upstream));
  const child = spawn(NGINX, ['-p', dir, '-c', join(dir, 'nginx.conf'), '-e', join(dir, 'error.log')], { stdio: 'ignore' });
  const exited = once(child, 'exit');
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  t.after(async () => {
    child.kill('SIGTERM');
    await exited;
    process.off('exit', kill);
  });
  if (!(await answers(port, 10_000))) throw new Error(readFileSync(join(dir, 'error.log'), 'utf8'));
  return {
    url: `https://localhost:${port}`,
    ca: join(dir, 'ca.pem'),
    requests: () => readFileSync(join(dir, 'access.log'), 'utf8').trim().split('\n'),
  };
}
