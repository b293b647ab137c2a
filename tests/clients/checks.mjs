// What the checks in JavaScript share.
import assert from 'node:assert/strict';

export const { BASE, INS, GP, HOSPITAL, PATIENT } = process.env;

export const observation = (note) => ({
  resourceType: 'Observation',
  status: 'final',
  code: { coding: [{ system: 'http://loinc.org', code: '8867-4' }], text: note },
  subject: { identifier: { system: INS.split('%7C')[0], value: INS.split('%7C')[1] } },
  effectiveDateTime: '2026-04-01T08:00:00+02:00',
  valueQuantity: { value: 72.5, unit: '/min', system: 'http://unitsofmeasure.org', code: '/min' },
});

export async function check(name, body) {
  await body();
  console.log(`ok ${name}`);
}

export { assert };
