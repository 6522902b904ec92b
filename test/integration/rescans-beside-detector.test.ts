/** Rescans and a detector that write the same incidents, on the Elasticsearch that the tests share. */

import { openStores } from '../adapters/elasticsearch/access.ts';
import { describeWithEngines } from '../engines/suites.ts';
import { describeRescansBesideDetector } from '../runtime/rescan/beside-detector.ts';

describeWithEngines('With a server', { elasticsearch: true }, (engines) => {
  describeRescansBesideDetector('Elasticsearch', () => openStores(engines().elasticsearch));
});
