// A reporter for node's test runner: one TAP line for every test that holds no other tests, so that
// every version from 18 on counts the same (18 reports each file as a test around its tests, later
// ones do not). A holder counts only when it failed and none of its tests did.

const isCounted = new Set(['test:pass', 'test:fail']);

function describe(event) {
  const lines = [];
  const error = event.data.details?.error;
  const cause = error?.cause ?? error;
  const text = cause?.stack ?? String(cause ?? '');
  for (const line of text.split('\n')) lines.push(`#   ${line}`);
  return lines.join('\n');
}

export default async function* flatTap(events) {
  const inside = []; // inside[n]: results of tests of nesting n since the last holder of them
  for await (const event of events) {
    if (event.type === 'test:diagnostic') continue;
    if (event.type === 'test:stderr' || event.type === 'test:stdout') {
      for (const line of String(event.data.message ?? '').trimEnd().split('\n')) yield `# ${line}\n`;
      continue;
    }
    if (!isCounted.has(event.type)) continue;
    const { name, nesting = 0, skip } = event.data;
    const passed = event.type === 'test:pass';
    const children = inside[nesting + 1] ?? [];
    inside[nesting + 1] = [];
    (inside[nesting] ??= []).push(passed);
    const title = String(name).replace(/[\n#]/g, ' ');
    if (children.length > 0 && (passed || children.includes(false))) continue;
    if (skip !== undefined && skip !== false) yield `ok - ${title} # SKIP ${skip === true ? '' : skip}\n`;
    else if (passed) yield `ok - ${title}\n`;
    else yield `not ok - ${title}\n${describe(event)}\n`;
  }
}
