import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Ajv } from 'ajv';
import addFormats from 'ajv-formats';
import type { ExecutionContext } from 'ava';

import { systemClock, type Clock } from '../../src/base/clock.ts';
import { createLog } from '../../src/base/log.ts';
import { parseAgentConfig } from '../../src/config/agent-config.ts';
import { ControlClient } from '../../src/control/client.ts';
import type { CallName } from '../../src/control/routes.ts';
import { CALLS, type Api } from '../../src/control/schemas.ts';
import { startAgent, type Agent } from '../../src/daemon/start-agent.ts';
import { FakeDomain } from './fake-domain.ts';

const GIB = 2 ** 30;

/** An agent over a fake domain, and a caller that holds every answer against its schema. */
export class AgentLab<Domain extends FakeDomain = FakeDomain> {
  readonly directory = mkdtempSync(join(tmpdir(), 'cloudvol-agent-'));
  readonly domain: Domain;
  readonly clock: Clock;
  readonly log: string[] = [];
  readonly #ajv = addFormats.default(new Ajv({ strict: false }));
  #agent: Agent | undefined;

  constructor(domain: Domain, clock: Clock) {
    this.domain = domain;
    this.clock = clock;
  }

  get config() {
    const { directory } = this;
    return parseAgentConfig(
      ['--state-dir', `${directory}/state`, '--runtime-dir', `${directory}/run`],
      {},
    );
  }

  async start(): Promise<void> {
    const { config, domain, clock } = this;
    const log = createLog((line) => this.log.push(line));
    this.#agent = await startAgent({ config, domain, clock, log });
  }

  async stop(): Promise<void> {
    await this.#agent?.close();
    this.#agent = undefined;
  }

  async call<Name extends CallName>(
    name: Name,
    input: Api[Name]['input'],
  ): Promise<Api[Name]['output']> {
    const answer = await new ControlClient(this.config.socketPath).call(name, input);
    const check = this.#ajv.compile(CALLS[name].output);
    if (!check(answer))
      throw new Error(`${name} answers against its schema: ${JSON.stringify(check.errors)}`);
    return answer;
  }

  create(name: string, labels = {}) {
    return this.call('createVolume', { name, sizeBytes: GIB, labels });
  }

  ended(task: string) {
    return this.call('waitForTask', { task, waitMs: 10_000 });
  }
}

export function openLab(t: ExecutionContext): Promise<AgentLab> {
  return openLabOf(t, new FakeDomain());
}

/** The same over a domain of the test's own. */
export async function openLabOf<Domain extends FakeDomain>(
  t: ExecutionContext,
  domain: Domain,
  clock: Clock = systemClock,
): Promise<AgentLab<Domain>> {
  const lab = new AgentLab(domain, clock);
  t.teardown(async () => {
    await lab.stop();
    rmSync(lab.directory, { recursive: true, force: true });
  });
  await lab.start();
  return lab;
}
