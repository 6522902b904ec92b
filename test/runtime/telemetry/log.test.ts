import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RelaywatchError } from '../../../src/core/outcome.ts';
import { createLog, type LogFields, safeText } from '../../../src/runtime/telemetry/log.ts';

const NOW_MS = Date.UTC(2026, 6, 1, 12, 30, 15, 250);

function logTo(isTTY: boolean) {
  const texts: string[] = [];
  const stream = { isTTY, write: (text: string) => texts.push(text) };
  const log = createLog({ pipeline: 'contoso', role: 'detect', version: '0.1.0', stream, now: () => NOW_MS });
  return { log, texts, last: () => JSON.parse(texts.at(-1) ?? 'null') as Record<string, unknown> };
}

describe('the log', () => {
  it('writes one JSON line per message, with ECS names', () => {
    const { log, texts, last } = logTo(false);
    log.info('Checkpoint saved', { action: 'checkpoint_saved', partition: 3, tenant: 'contoso', durationMs: 12.5 });
    expect(texts).toHaveLength(1);
    expect(texts[0]).toMatch(/^\{.*\}\n$/);
    expect(last()).toEqual({
      '@timestamp': '2026-07-01T12:30:15.250Z',
      'log.level': 'info',
      message: 'Checkpoint saved',
      'ecs.version': '9.4.0',
      'service.name': 'relaywatch',
      'service.version': '0.1.0',
      'event.dataset': 'relaywatch.detect',
      'event.action': 'checkpoint_saved',
      'event.duration': 12_500_000,
      'process.pid': process.pid,
      'labels.pipeline': 'contoso',
      'labels.partition': 3,
      'labels.tenant': 'contoso',
    });
  });

  it('gives code, message, hint and the name of the cause of our own failures', () => {
    const { log, last } = logTo(false);
    const cause = Object.assign(new Error('a document of bob@contoso.com'), { name: 'ResponseError' });
    const error = new RelaywatchError({ code: 'not_set_up', message: 'no index', hint: 'Run setup.', cause });
    log.error('Delivery stopped', { error });
    expect(last()).toMatchObject({
      'log.level': 'error',
      'error.code': 'not_set_up',
      'error.message': 'no index',
      'labels.hint': 'Run setup.',
      'labels.cause': 'ResponseError',
    });
  });

  it('keeps the message of a failed system call, and only name and places of any other error', () => {
    const { log, texts, last } = logTo(false);
    const refused = Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:9092'), {
      code: 'ECONNREFUSED',
      syscall: 'connect',
    });
    log.warn('Kafka is away', { error: refused });
    expect(last()).toMatchObject({
      'error.code': 'ECONNREFUSED',
      'error.message': 'connect ECONNREFUSED 127.0.0.1:9092',
    });
    const parse = new SyntaxError(
      'Unexpected token in "Quarterly figures\n    at secret subject:1:1\n bob@contoso.com"',
    );
    log.error('Stopped', { error: parse });
    expect(last()).toMatchObject({ 'error.type': 'SyntaxError' });
    expect(last()['error.stack_trace']).toMatch(/^at .*log\.test\.ts:\d+:\d+/);
    expect(texts.at(-1)).not.toMatch(/Quarterly|subject|bob/);
    log.error('Stopped', { error: 'bob@contoso.com' });
    expect(last()).toMatchObject({ 'error.type': 'string' });
    expect(texts.at(-1)).not.toContain('bob');
  });

  it('lets nothing in that is no field of the list', () => {
    const { log, texts } = logTo(false);
    log.info('Row', { sender: 'bob', subject: 'Quarterly figures', partition: 1 } as LogFields);
    expect(texts[0]).not.toMatch(/bob|Quarterly/);
    expect(texts[0]).toContain('"labels.partition":1');
  });

  it('takes control characters, addresses and secrets out of texts', () => {
    for (const [text, safe] of [
      ['one\r\ntwo\tthree', 'one two three'],
      ['red \u001b[31m', 'red ␛[31m'],
      ['turned \u202e round', 'turned <U+202E> round'],
      ['of <bob.o@contoso.com>, sent', 'of <<address>>, sent'],
      ['of bob@münchen.example', 'of <address>'],
      ['https://elastic:changeme@search:9200/_bulk', 'https://search:9200/_bulk'],
      ['Authorization: Bearer eyJhbGciOi.eyJz', 'Authorization: Bearer <secret>'],
      ['apikey VnVhQ2ZHY0JDZGJrUW0tZTVhT3g6dWkybHAy', 'apikey <secret>'],
      ['password=hunter22&user=x', 'password=<secret>&user=x'],
      ['"api_key": "abc"', '"api_key": <secret>"'],
      ['kafka at 10.1.1.4:9092 answers', 'kafka at 10.1.1.4:9092 answers'],
    ]) {
      expect(safeText(text)).toBe(safe);
    }
    expect(safeText('x'.repeat(10_000)).length).toBeLessThan(2_100);
  });

  it('stays one line of JSON without control characters whatever the texts are', () => {
    const text = fc.string({ unit: 'binary', maxLength: 300 });
    fc.assert(
      fc.property(text, text, text, (message, tenant, hint) => {
        const { log, texts } = logTo(false);
        log.warn(message, { tenant, error: new RelaywatchError({ code: 'x', message, hint }) });
        expect(texts).toHaveLength(1);
        expect(texts[0].slice(0, -1)).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202e]/);
        JSON.parse(texts[0]);
      }),
    );
  });

  it('holds no address, whatever stands around it', () => {
    fc.assert(
      fc.property(fc.string(), fc.emailAddress(), fc.string(), (before, address, after) => {
        const safe = safeText(`${before} ${address}, ${after}`);
        expect(safe).not.toContain(address);
        expect(safe).not.toContain(address.split('@')[1]);
      }),
    );
  });

  it('is not slowed down by hostile texts', () => {
    const { log } = logTo(false);
    const startMs = performance.now();
    for (const text of ['@'.repeat(100_000), 'a'.repeat(100_000), '//'.repeat(50_000), 'password='.repeat(20_000)]) {
      for (let count = 0; count < 20; count++) log.info(text);
    }
    expect(performance.now() - startMs).toBeLessThan(2_000);
  });

  it('writes plain lines on a terminal, with the cure below', () => {
    const { log, texts } = logTo(true);
    log.info('Ready');
    const error = new RelaywatchError({ code: 'x', message: 'the disk\u001b[2J is full', hint: 'Make room.' });
    log.error('Stopped', { error, partition: 2, tenant: 'contoso', component: 'state' });
    expect(texts).toEqual([
      '12:30:15 Ready\n',
      '12:30:15 error: Stopped: the disk␛[2J is full (state, partition 2, tenant contoso)\n         Make room.\n',
    ]);
  });
});
