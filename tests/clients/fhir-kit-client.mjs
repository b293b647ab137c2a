// https://github.com/Vermonster/fhir-kit-client
import * as loaded from 'fhir-kit-client';
import { assert, BASE, check, HOSPITAL, observation } from './checks.mjs';

const Client = loaded.default ?? loaded.Client;
const client = new Client({ baseUrl: BASE, customHeaders: { Authorization: `Bearer ${HOSPITAL}` } });
const resourceType = 'Observation';
const patch = [{ op: 'replace', path: '/status', value: 'entered-in-error' }];
let created;

await check('fhir-kit-client: capabilities', async () => {
  const statement = await client.capabilityStatement();
  assert.equal(statement.fhirVersion, '4.0.1');
});
await check('fhir-kit-client: create', async () => {
  created = await client.create({ resourceType, body: observation('fhir-kit-client') });
  assert.equal(created.valueQuantity.value, 72.5);
});
await check('fhir-kit-client: read', async () => {
  assert.deepEqual(await client.read({ resourceType, id: created.id }), created);
});
await check('fhir-kit-client: search with paging', async () => {
  const patient = created.subject.reference.split('/').pop();
  let page = await client.search({ resourceType, searchParams: { patient, _count: 1 } });
  const seen = new Set();
  for (let pages = 0; page && pages < 100; pages += 1) {
    (page.entry ?? []).forEach((entry) => seen.add(entry.resource.id));
    page = page.link.some((link) => link.relation === 'next') ? await client.nextPage({ bundle: page }) : undefined;
  }
  assert.ok(seen.has(created.id), 'the pages do not have what was created');
});
await check('fhir-kit-client: update', async () => {
  const body = { ...created, status: 'amended' };
  const updated = await client.update({ resourceType, id: created.id, body });
  assert.equal(updated.status, 'amended');
  assert.equal(updated.meta.versionId, '2');
});
await check('fhir-kit-client: patch', async () => {
  const patched = await client.patch({ resourceType, id: created.id, jsonPatch: patch });
  assert.equal(patched.status, 'entered-in-error');
});
await check('fhir-kit-client: transaction', async () => {
  const entry = { resource: observation('in a transaction'), request: { method: 'POST', url: resourceType } };
  const answer = await client.transaction({ body: { resourceType: 'Bundle', type: 'transaction', entry: [entry, entry] } });
  assert.deepEqual(answer.entry.map((each) => each.response.status.slice(0, 3)), ['201', '201']);
});
await check('fhir-kit-client: delete', async () => {
  await client.delete({ resourceType, id: created.id });
  await assert.rejects(client.read({ resourceType, id: created.id }), (error) => [404, 410].includes(error.response.status));
});
