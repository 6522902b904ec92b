import { expect, it } from 'vitest';
import { BACKGROUNDS, type BackgroundKind } from '../../bench/detection/backgrounds.ts';
import { comparable, liveIncidents, shuffledIncidents } from '../../bench/detection/delivery.ts';
import { scenariosCalled } from '../../bench/detection/evaluation.ts';
import { planTrials, scanTraffic, wholeTrial } from '../../bench/detection/group.ts';
import { AS_SHIPPED, adjustedSettings } from '../../bench/detection/task.ts';
import { Random } from '../../bench/traffic/random.ts';

const settings = adjustedSettings(AS_SHIPPED);
const small = BACKGROUNDS.find((kind) => kind.id === '10') as BackgroundKind;

function open() {
  const opened = small.open('delivery/0');
  if (opened === null) throw new Error('no background');
  return opened;
}

it('a tenant ends with the same incidents, shuffled and repeated or live and late', { timeout: 60_000 }, () => {
  const [trial] = planTrials(scenariosCalled(['A22-relay']), open(), 'delivery', 0);
  const { traffic } = wholeTrial(open(), trial);
  const wanted = comparable(scanTraffic(traffic, settings));
  expect(wanted.length).toBeGreaterThan(0);
  for (const seed of ['1', '2']) {
    expect(comparable(shuffledIncidents(traffic, settings, new Random(seed))), `seed ${seed}`).toEqual(wanted);
  }
  const live = liveIncidents(traffic, settings, new Random('1'));
  expect(comparable(live.incidents)).toEqual(wanted);
  expect(live.published).toBeGreaterThan(0);
});

it('an incident that has other numbers is another one', () => {
  const [trial] = planTrials(scenariosCalled(['A22-relay']), open(), 'delivery', 0);
  const { traffic } = wholeTrial(open(), trial);
  const [attack] = traffic.attacks;
  const fewer = traffic.messages.filter((message) => message.timeMs < attack.pairs[20].timeMs);
  expect(comparable(scanTraffic({ ...traffic, messages: fewer }, settings))).not.toEqual(
    comparable(scanTraffic(traffic, settings)),
  );
});
