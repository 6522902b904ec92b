"""Runs ElastAlert2's own rule classes over streams of rows.

Standard input: one JSON object a line: {"stream": n, "from": ms, "known": [domain, ...], "rows": [[ms, key, domain, source], ...]},
rows in order of time, the sender domains that were known a day before "from". Standard output: one line for each stream and rule:
{"stream": n, "rule": id, "parameter": p, "matches": [[ms, key], ...]}, matches from "from" on, less a day.

Rows are handed over as ElastAlert does: in batches of one minute (run_every). It collects garbage with every
batch; here that happens every half hour of rows, and twice in a longer silence, which empties its windows
as well and takes minutes instead of hours.
"""

import datetime
import json
import logging
import sys

from elastalert import ruletypes

logging.disable(logging.CRITICAL)

UTC = datetime.timezone.utc
MINUTE_MS = 60_000
HOUR_MS = 3_600_000
DAY_MS = 86_400_000
TIMESTAMP = '@timestamp'


class NewTerms(ruletypes.NewTermsRule):
    """Terms of the 30 days before are handed over: what its query of Elasticsearch would have found."""

    def get_all_terms(self, args):
        for field in self.fields:
            self.seen_values[field] = list(args)


def hours(count):
    return datetime.timedelta(hours=count)


def options(more):
    return {'timestamp_field': TIMESTAMP, 'dt_to_ts': lambda time: time, **more}


def rules():
    """(id, parameter, maker): documented defaults where the documentation has any."""
    found = []
    for times in (0.5, 1, 2, 4):
        found.append(('frequency, 1 h', times, lambda known, n=times: ruletypes.FrequencyRule(
            options({'num_events': int(30 * n), 'timeframe': hours(1), 'query_key': 'key'}))))
        found.append(('frequency, 24 h', times, lambda known, n=times: ruletypes.FrequencyRule(
            options({'num_events': int(120 * n), 'timeframe': hours(24), 'query_key': 'key'}))))
        found.append(('cardinality of sender domains, 1 h', times, lambda known, n=times: ruletypes.CardinalityRule(
            options({'cardinality_field': 'domain', 'max_cardinality': int(20 * n), 'timeframe': hours(1),
                     'query_key': 'key'}))))
    for height in (2, 3, 6):
        found.append(('spike, 1 h', height, lambda known, h=height: ruletypes.SpikeRule(
            options({'timeframe': hours(1), 'spike_height': h, 'spike_type': 'up', 'threshold_cur': 30,
                     'query_key': 'key'}))))
    found.append(('spike, 1 h, alert_on_new_data', 3, lambda known: ruletypes.SpikeRule(
        options({'timeframe': hours(1), 'spike_height': 3, 'spike_type': 'up', 'threshold_cur': 30,
                 'query_key': 'key', 'alert_on_new_data': True}))))
    found.append(('spike by sender domain, 1 h', 3, lambda known: ruletypes.SpikeRule(
        options({'timeframe': hours(1), 'spike_height': 3, 'spike_type': 'up', 'threshold_cur': 15,
                 'query_key': 'domain'}))))
    found.append(('new sender domain', 1, lambda known: NewTerms(options({'fields': ['domain']}), known)))
    return found


def time_of(event_ms):
    return datetime.datetime.fromtimestamp(event_ms / 1000, UTC)


def run(rule, rows):
    matches = []
    batch = []
    batch_minute = None
    collected_ms = rows[0][0] if rows else 0

    def take_matches(now_ms):
        # A spike names the first event of its window; a person is told when the batch is looked at.
        for key in {match.get('key', 'unregistered') for match in rule.matches}:
            matches.append((now_ms, key))
        rule.matches = []

    def collect(now_ms):
        nonlocal collected_ms
        rule.garbage_collect(time_of(now_ms))
        collected_ms = now_ms
        take_matches(now_ms)

    def flush():
        if not batch:
            return
        rule.add_data([event for event, _ in batch])
        take_matches(batch[-1][1])
        batch.clear()

    for ms, key, domain, source in rows:
        minute = ms // MINUTE_MS
        if minute != batch_minute:
            flush()
            batch_minute = minute
            # Two empty hours empty every window.
            if ms - collected_ms > 2 * HOUR_MS:
                collect(collected_ms + HOUR_MS)
                collect(ms - HOUR_MS // 2)
            elif ms - collected_ms > HOUR_MS // 2:
                collect(ms)
        batch.append(({TIMESTAMP: time_of(ms), 'key': key, 'domain': domain, 'source': source}, ms))
    flush()
    return matches


def main():
    made = rules()
    for line in sys.stdin:
        task = json.loads(line)
        for name, parameter, make in made:
            fed = task['rows']
            if 'sender domain' in name:
                fed = [row for row in fed if row[1] == 'unregistered']
            if name == 'new sender domain':
                fed = [row for row in fed if row[0] >= task['from'] - DAY_MS]
            matches = [match for match in run(make(task['known']), fed) if match[0] >= task['from'] - DAY_MS]
            print(json.dumps({'stream': task['stream'], 'rule': name, 'parameter': parameter, 'matches': matches}),
                  flush=True)


main()
