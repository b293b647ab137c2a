// SMART's client for JavaScript. https://docs.smarthealthit.org/client-js/
import { createRequire } from 'node:module';
import { assert, BASE, check, HOSPITAL, observation } from './checks.mjs';

// The library in Node.js is made for one HTTP request; a server's URL and a token need neither request nor answer.
const FHIR = createRequire(import.meta.url)('fhirclient')({}, {});
const client = FHIR.client({ serverUrl: BASE, tokenResponse: { access_token: HOSPITAL } });
let created;

await check('fhirclient: create', async () => {
  created = await client.create(observation('fhirclient'));
  assert.equal(created.resourceType, 'Observation');
});
await check('fhirclient: read', async () => {
  const read = await client.request(`Observation/${created.id}`);
  assert.equal(read.code.text, 'fhirclient');
});
await check('fhirclient: search with paging', async () => {
  const patient = created.subject.reference.split('/').pop();
  const found = await client.request(`Observation?patient=${patient}&_count=1`, { pageLimit: 0, flat: true });
  assert.ok(found.some((resource) => resource.id === created.id));
});
await check('fhirclient: update', async () => {
  const updated = await client.update({ ...created, status: 'amended' });
  assert.equal(updated.status, 'amended');
});
await check('fhirclient: patch', async () => {
  const patched = await client.patch(`Observation/${created.id}`, [{ op: 'replace', path: '/status', value: 'corrected' }]);
  assert.equal(patched.status, 'corrected');
});
await check('fhirclient: transaction', async () => {
  const entry = { resource: observation('in a transaction'), request: { method: 'POST', url: 'Observation' } };
  const body = JSON.stringify({ resourceType: 'Bundle', type: 'transaction', entry: [entry, entry] });
  const headers = { 'Content-Type': 'application/fhir+json' };
  const answer = await client.request({ url: BASE, method: 'POST', body, headers });
  assert.deepEqual(answer.entry.map((each) => each.response.status.slice(0, 3)), ['201', '201']);
});
await check('fhirclient: delete', async () => {
  await client.delete(`Observation/${created.id}`);
  await assert.rejects(client.request(`Observation/${created.id}`));
});
