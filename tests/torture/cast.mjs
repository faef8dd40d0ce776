// Who debates in the torture and what they say: three agents whose replies depend on the agent, the
// kind of turn and the round alone, in five flavours of a debate. So a debate comes to the same
// whatever was killed meanwhile, and a request says which turn it belongs to.
//
// Every answer names its flavour and round, and is quoted in the prompts of the next step; that is
// how a rule, and the recorder, see the round.

export const AGENTS = ['ada', 'bob', 'cyd'];
export const ROUNDS = 2;
export const FLAVOURS = 5;
const RULES = ['majority', 'weighted', 'supermajority', 'unanimous', 'any'];

const model = (agent) => `${agent}-1`;
export const agentOfModel = (name) => name.replace(/-\d+$/, '');

// `version`: of the models; a table that changed between two starts has another one.
export function agentsFile(baseUrl, version = 1) {
  return {
    agents: AGENTS.map((type) => ({
      type, provider: 'torture', model: `${type}-${version}`, wire: 'openai', base_url: `${baseUrl}/v1`,
      key_variable: 'TORTURE_KEY', price_input_usd: 1, price_output_usd: 4, context_tokens: 100_000,
      output_tokens_max: 2000,
    })),
  };
}

// The body of the POST that starts debate number `number`.
export function debateBody(number) {
  return {
    task: `Torture ${number}: which way, of flavour-${number % FLAVOURS}?`,
    agents: AGENTS, rounds: ROUNDS, seed: String(number), fast_path: false,
    consensus: RULES[Math.floor(number / FLAVOURS) % RULES.length],
  };
}

// Keys differ in every round, so that no round is the last for want of a change; in flavours 1 and 3
// two agents come to the same in the end.
function keyOf(flavour, agent, round) {
  const last = round === ROUNDS && flavour % 2 === 1 && agent !== 'cyd' ? 'both' : agent === 'ada' ? 'north' : agent === 'bob' ? 'south' : 'west';
  return `${last} ${round}`;
}

function answer(flavour, agent, round) {
  return {
    answer: `In flavour-${flavour} round-${round} it is ${keyOf(flavour, agent, round)}, for reasons one, two and three.`,
    answer_key: keyOf(flavour, agent, round), key_claims: ['one', 'two'], confidence: 0.5 + round / 10,
  };
}

const critique = (agent) => ({
  items: ['A', 'B'].map((label) => ({
    target: `Response ${label}`, claim: 'the way', problem: `it is doubtful (${agent.length})`, severity: 0.6,
    why: 'nobody went there', fix: 'go there',
  })),
});

const revision = (flavour, agent, round) => ({
  responses: ['Item 1', 'Item 2'].map((item) => ({ item, verdict: 'accept', reason: 'true' })),
  stance: 'changed', ...answer(flavour, agent, round),
});

function ballot(flavour, agent) {
  const labels = flavour % 2 === 1 ? ['A', 'B'] : ['A', 'B', 'C'];
  const by = AGENTS.indexOf(agent) + flavour;
  const ranking = labels.map((_, i) => `Response ${labels[(i + by) % labels.length]}`);
  return { reason: 'it seems so', ranking, confidence: 0.5 };
}

function rulesOf(flavour, agent, pace) {
  const said = (round) => `flavour-${flavour} round-${round}`;
  const rule = (kind, contains, reply) => ({
    match: { model: model(agent), kind, prompt_contains: contains }, reply: typeof reply === 'string' ? reply : JSON.stringify(reply), ...pace,
  });
  const rules = [];
  // Flavour 3: one reply cannot be read, and is asked for again.
  const unreadable = `no JSON at all in flavour-${flavour}`;
  if (flavour === 3 && agent === 'bob') {
    rules.push(rule('critique', unreadable, critique(agent)));
    rules.push(rule('critique', said(0), unreadable));
  }
  // Flavour 4: one turn is refused, which is a result too.
  if (flavour === 4 && agent === 'cyd') {
    const refused = rule('critique', said(1), '');
    delete refused.reply;
    rules.push({ ...refused, fault: 'refusal' });
  }
  for (let round = ROUNDS; round >= 1; round--) {
    rules.push(rule('critique', said(round - 1), critique(agent)));
    rules.push(rule('revision', said(round - 1), revision(flavour, agent, round)));
  }
  rules.push(rule('ballot', said(ROUNDS), ballot(flavour, agent)));
  rules.push(rule('proposal', `flavour-${flavour}`, answer(flavour, agent, 0)));
  return rules;
}

// The fake provider's script. `pace`: latency_ms and token_rate of every answer.
export function script(pace) {
  const rules = [];
  for (let flavour = 0; flavour < FLAVOURS; flavour++)
    for (const agent of AGENTS) rules.push(...rulesOf(flavour, agent, pace));
  return { rules };
}

// "17 1.critique.bob": which debate and turn a request is for, from its body.
export function turnOfRequest(body) {
  const text = JSON.stringify(body.messages);
  const kind = body.response_format?.json_schema?.name;
  const rounds = [...text.matchAll(/flavour-\d+ round-(\d+)/g)].map((match) => Number(match[1]));
  const last = Math.max(-1, ...rounds);
  const round = kind === 'proposal' ? 0 : kind === 'ballot' ? ROUNDS : last + 1;
  return `${numberOfTask(text)} ${round}.${kind}.${agentOfModel(body.model)}`;
}

export const numberOfTask = (text) => Number(/Torture (\d+):/.exec(text)[1]);
