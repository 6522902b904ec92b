/** The output store on the Elasticsearch that the tests share. */

import { describeOutputStoreContract } from '../adapters/contract/output-store.ts';
import { openStores } from '../adapters/elasticsearch/access.ts';
import { describeWithEngines } from '../engines/suites.ts';

describeWithEngines('With a server', { elasticsearch: true }, (engines) => {
  describeOutputStoreContract('Elasticsearch', () => openStores(engines().elasticsearch), { strict: true });
});
