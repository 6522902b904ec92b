/** Redis behind TLS: the server is believed with its authority alone. */

import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createServer } from 'node:tls';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createJobQueue } from '../../src/adapters/bullmq/job-queue.ts';
import { checkRedis } from '../../src/adapters/redis/check.ts';
import { createRedisCheckpoints } from '../../src/adapters/redis/checkpoints.ts';
import { queueSettings } from '../adapters/bullmq/settings.ts';
import { ingestOf, until } from '../adapters/contract/jobs.ts';
import { placeIn, settingsFor } from '../adapters/redis/place.ts';
import { describeWithEngines } from '../engines/suites.ts';

const hasOpenssl = spawnSync('openssl', ['version']).status === 0;

describeWithEngines('Redis behind TLS', { redis: true }, (engines) => {
  /** A certificate for this machine that is its own authority. */
  function certificate(): { key: string; cert: string } {
    const folder = mkdtempSync(path.join(tmpdir(), 'relaywatch-tls-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const [key, cert] = ['key.pem', 'cert.pem'].map((name) => path.join(folder, name));
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
    const kind = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
    execFileSync('openssl', ['req', ...kind, '-keyout', key, '-out', cert, ...subject], { stdio: 'ignore' });
    return { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') };
  }

  /** TLS in front of the engine. */
  async function front(): Promise<{ url: string; ca: string }> {
    const { key, cert } = certificate();
    const behind = new URL(engines().redis.url);
    const sockets = new Set<Socket>();
    const server = createServer({ key, cert }, (outside) => {
      const inside = connect(Number(behind.port), behind.hostname);
      for (const socket of [inside, outside]) {
        sockets.add(socket);
        socket.on('error', () => inside.destroy());
      }
      outside.pipe(inside).pipe(outside);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    return { url: `rediss://127.0.0.1:${(server.address() as AddressInfo).port}`, ca: cert };
  }

  describe.runIf(hasOpenssl)('with a certificate', () => {
    test('is used with the authority that was given', async () => {
      const { url, ca } = await front();
      const access = { ...settingsFor(url), tls: { ca } };
      const place = placeIn({ ...access, url: engines().redis.url, tls: null });
      onTestFinished(() => place.close());
      const store = createRedisCheckpoints(access);
      onTestFinished(() => store.close());
      expect(await store.claim('p', 1)).toBeNull();
      await store.save('p', 1, Buffer.from('one'));
      expect((await checkRedis(access)).find(({ what }) => what === 'Redis answers')).toMatchObject({ ok: true });

      const settings = queueSettings(url, { prefix: access.prefix });
      const queue = createJobQueue({ ...settings, redis: { ...settings.redis, tls: { ca } } });
      onTestFinished(() => queue.close());
      expect(await queue.submit(ingestOf(1))).toBe('queued');
      let runs = 0;
      const stop = new AbortController();
      const working = queue.work(async () => void runs++, stop.signal);
      await until(() => runs === 1);
      stop.abort();
      await working;
    });

    test('is refused without it, by every call, and nobody waits', async () => {
      const { url } = await front();
      const refused = { code: 'redis_refused', hint: expect.stringContaining('certificate') };
      const store = createRedisCheckpoints(settingsFor(url));
      onTestFinished(() => store.close());
      await expect(store.claim('p', 1)).rejects.toMatchObject(refused);
      const queue = createJobQueue(queueSettings(url), { stopTimeoutMs: 500 });
      onTestFinished(() => queue.close());
      await expect(queue.submit(ingestOf(1))).rejects.toMatchObject(refused);
      await expect(queue.work(async () => {}, new AbortController().signal)).rejects.toMatchObject(refused);
      expect(await checkRedis(settingsFor(url))).toEqual([expect.objectContaining({ ok: false, hint: refused.hint })]);
    });
  });
});
