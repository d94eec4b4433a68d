// The published JavaScript clients against a running Portico. The Go test of the folder above starts it, installs
// these packages and runs this file; PORTICO_DATA names the folder with endpoints.json and credentials.json.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { request } from "node:http";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { ApiManagementClient } from "@azure/arm-apimanagement";
import { ResourceManagementClient } from "@azure/arm-resources";
import { ClientSecretCredential } from "@azure/identity";

const read = (name) => JSON.parse(readFileSync(join(process.env.PORTICO_DATA, name), "utf8"));
const { armTls: base } = read("endpoints.json");
const { tenantId, clientId, clientSecret, subscriptionId } = read("credentials.json");

const login = (secret) =>
  new ClientSecretCredential(tenantId, clientId, secret, { authorityHost: base, disableInstanceDiscovery: true });
const options = { endpoint: base, credentialScopes: [`${base}/.default`] };
const client = new ApiManagementClient(login(clientSecret), subscriptionId, options);
const resources = new ResourceManagementClient(login(clientSecret), subscriptionId, options);

const group = "rg";
const name = "script";
const id = `/subscriptions/${subscriptionId}/resourceGroups/${group}/providers/Microsoft.ApiManagement/service/${name}`;
const wanted = {
  location: "West Europe",
  sku: { name: "Developer", capacity: 1 },
  publisherName: "Clients",
  publisherEmail: "clients@example.com",
};
const often = { updateIntervalInMs: 100 };
const anyTag = "*";

const fails = (promise, statusCode, code) => assert.rejects(promise, (e) => {
  assert.deepEqual({ statusCode: e.statusCode, code: e.code }, { statusCode, code });
  return true;
});

const pagesOf = async (list, settings) => {
  const pages = [];
  for await (const page of list.byPage(settings)) pages.push(page.map((item) => item.name));
  return pages;
};

// call sends one request on a connection of its own.
const call = (url, key) => new Promise((resolve, reject) => {
  const headers = key === undefined ? {} : { "Ocp-Apim-Subscription-Key": key };
  request(url, { headers, agent: false }, (res) => {
    let body = "";
    res.setEncoding("utf8").on("data", (part) => (body += part)).on("end", () => resolve({ status: res.statusCode, body }));
  }).on("error", reject).end();
});

// comesTrue asks a gateway until it says what is wanted: what was written reaches machines a moment later.
const comesTrue = async (want, url, key) => {
  for (const deadline = Date.now() + 10_000; ;) {
    const got = await call(url, key);
    if (got.status === want.status && got.body === want.body) return;
    if (Date.now() > deadline) assert.deepEqual(got, want);
    await sleep(10);
  }
};

const backend = createServer((req, res) => res.end(`${req.method} ${req.url} ${req.headers["x-policies"] ?? ""}`));
let service;
let backendURL;

before(async () => {
  await new Promise((resolve) => backend.listen(0, "127.0.0.1", resolve));
  backendURL = `http://127.0.0.1:${backend.address().port}`;
});

after(() => backend.close());

test("resource group", async () => {
  const made = await resources.resourceGroups.createOrUpdate(group, { location: "westeurope", tags: { a: "b" } });
  assert.deepEqual(made, {
    id: `/subscriptions/${subscriptionId}/resourceGroups/${group}`, name: group, type: "Microsoft.Resources/resourceGroups",
    location: "westeurope", tags: { a: "b" }, properties: { provisioningState: "Succeeded" },
  });
  assert.equal((await resources.resourceGroups.checkExistence(group)).body, true);
  assert.deepEqual(await pagesOf(resources.resourceGroups.list()), [[group]]);
});

test("create and get a service", async () => {
  await fails(client.apiManagementService.get(group, name), 404, "ResourceNotFound");
  const poller = await client.apiManagementService.beginCreateOrUpdate(group, name, wanted, often);
  assert.equal(poller.isDone(), false);
  service = await poller.pollUntilDone();
  assert.equal(service.id, id);
  assert.equal(service.location, "West Europe");
  assert.deepEqual(service.sku, { name: "Developer", capacity: 1 });
  assert.equal(service.publisherName, "Clients");
  assert.equal(service.provisioningState, "Succeeded");
  assert.equal(service.platformVersion, "stv2");
  assert.ok(service.createdAtUtc instanceof Date);
  assert.match(service.gatewayUrl, /^http:\/\/127\./);
  assert.deepEqual(await client.apiManagementService.get(group, name), service);
  assert.deepEqual(await pagesOf(client.apiManagementService.list()), [[name]]);
  assert.deepEqual(await pagesOf(client.apiManagementService.listByResourceGroup(group)), [[name]]);
});

test("update a service", async () => {
  const got = await client.apiManagementService.beginUpdateAndWait(group, name, { tags: { stage: "test" } }, often);
  assert.deepEqual(got.tags, { stage: "test" });
  assert.equal(got.provisioningState, "Succeeded");
  const scaled = await client.apiManagementService.beginUpdateAndWait(group, name, { sku: { name: "Premium", capacity: 2 } }, often);
  assert.deepEqual(scaled.sku, { name: "Premium", capacity: 2 });
  assert.deepEqual(scaled.tags, { stage: "test" });
});

test("named values and backends", async () => {
  const made = await client.namedValue.beginCreateOrUpdateAndWait(group, name, "word", { displayName: "Word", value: "swordfish", secret: true }, often);
  assert.equal(made.displayName, "Word");
  assert.equal(made.value, undefined);
  const { value } = await client.namedValue.listValue(group, name, "word");
  assert.equal(value, "swordfish");
  const patched = await client.namedValue.beginUpdateAndWait(group, name, "word", anyTag, { value: "trout" }, often);
  assert.equal(patched.secret, true);
  assert.equal((await client.namedValue.listValue(group, name, "word")).value, "trout");
  const sample = await client.backend.createOrUpdate(group, name, "sample", { url: `${backendURL}/from-backend`, protocol: "http" });
  assert.equal(sample.url, `${backendURL}/from-backend`);
  assert.deepEqual(await pagesOf(client.backend.listByService(group, name)), [["sample"]]);
});

test("APIs, API operations and pages", async () => {
  for (const api of ["a1", "a2", "a3"]) {
    const made = await client.api.beginCreateOrUpdateAndWait(group, name, api, { displayName: `The ${api}`, path: api, serviceUrl: backendURL, protocols: ["http"] }, often);
    assert.equal(made.id, `${id}/apis/${api}`);
    assert.equal(made.apiRevision, "1");
    assert.equal(made.isCurrent, true);
  }
  assert.deepEqual(await pagesOf(client.api.listByService(group, name, { top: 2 })), [["a1", "a2"], ["a3"]]);
  assert.deepEqual(await pagesOf(client.api.listByService(group, name, { filter: "path eq 'a2'" })), [["a2"]]);
  const { eTag } = await client.api.getEntityTag(group, name, "a1");
  const updated = await client.api.update(group, name, "a1", eTag, { displayName: "One" });
  assert.equal(updated.displayName, "One");
  assert.notEqual(updated.eTag, eTag);
  await fails(client.api.update(group, name, "a1", eTag, { displayName: "Two" }), 412, "PreconditionFailed");
  const operation = await client.apiOperation.createOrUpdate(group, name, "a1", "look", {
    displayName: "Look", method: "GET", urlTemplate: "/look/{id}", templateParameters: [{ name: "id", type: "string", required: true }],
  });
  assert.deepEqual(operation.templateParameters, [{ name: "id", type: "string", required: true }]);
  assert.deepEqual(await pagesOf(client.apiOperation.listByApi(group, name, "a1")), [["look"]]);
});

test("import, policies, product, subscription and a request", async () => {
  const document = {
    openapi: "3.0.1", info: { title: "Imported", version: "1" }, servers: [{ url: backendURL }],
    paths: { "/ping": { get: { operationId: "ping", responses: { 200: { description: "pong" } } } } },
  };
  const imported = await client.api.beginCreateOrUpdateAndWait(group, name, "imported", { path: "imported", format: "openapi+json", value: JSON.stringify(document) }, often);
  assert.equal(imported.displayName, "Imported");
  assert.equal(imported.serviceUrl, backendURL);
  assert.deepEqual(await pagesOf(client.apiOperation.listByApi(group, name, "imported")), [["ping"]]);

  const value = '<policies><inbound><base /><set-header name="X-Policies" exists-action="override"><value>{{Word}}</value></set-header></inbound>' +
    "<backend><base /></backend><outbound><base /></outbound><on-error><base /></on-error></policies>";
  await client.apiPolicy.createOrUpdate(group, name, "imported", "policy", { format: "rawxml", value });
  // The client reads this one answer as XML, though it asks for JSON first and gets it, and finds no value in it: so
  // look at what came.
  let answer;
  await client.apiPolicy.get(group, name, "imported", "policy", { format: "rawxml", onResponse: (raw) => (answer = raw) });
  assert.deepEqual(JSON.parse(answer.bodyAsText).properties, { format: "rawxml", value });
  await fails(client.apiPolicy.createOrUpdate(group, name, "imported", "policy", { format: "rawxml", value: "<policies>" }), 400, "ValidationError");
  assert.deepEqual(await pagesOf(client.policy.listByService(group, name)), [["policy"]]);

  await client.product.createOrUpdate(group, name, "gold", { displayName: "Gold", subscriptionRequired: true, state: "published" });
  assert.deepEqual(await pagesOf(client.product.listByService(group, name)), [["gold", "starter", "unlimited"]]);
  assert.equal((await client.productApi.createOrUpdate(group, name, "gold", "imported")).id, `${id}/apis/imported`);
  assert.equal((await client.productApi.checkEntityExists(group, name, "gold", "imported")).body, true);
  assert.deepEqual(await pagesOf(client.productApi.listByProduct(group, name, "gold")), [["imported"]]);

  const made = await client.subscription.createOrUpdate(group, name, "sub1", { displayName: "First", scope: "/products/gold", state: "active" });
  assert.equal(made.scope, `${id}/products/gold`);
  assert.equal(made.primaryKey, undefined);
  const keys = await client.subscription.listSecrets(group, name, "sub1");
  const url = `${service.gatewayUrl}/imported/ping`;
  await comesTrue({ status: 200, body: "GET /ping trout" }, url, keys.primaryKey);
  assert.equal((await call(url)).status, 401);
  await client.subscription.regeneratePrimaryKey(group, name, "sub1");
  const fresh = await client.subscription.listSecrets(group, name, "sub1");
  assert.notEqual(fresh.primaryKey, keys.primaryKey);
  assert.equal(fresh.secondaryKey, keys.secondaryKey);
  await comesTrue({ status: 200, body: "GET /ping trout" }, url, fresh.primaryKey);
});

for (const mode of ["PreserveIp", "NewIP"]) {
  test(`migrate with ${mode}`, async () => {
    const moved = `move${mode}`;
    await resources.resources.beginCreateOrUpdateByIdAndWait(id.replace(/[^/]+$/, moved), "2020-12-01", {
      location: "West Europe", sku: { name: "Developer", capacity: 1 },
      properties: { publisherName: "Clients", publisherEmail: "clients@example.com" },
    }, often);
    const old = await client.apiManagementService.get(group, moved);
    assert.equal(old.platformVersion, "stv1");
    const got = await client.apiManagementService.beginMigrateToStv2AndWait(group, moved, { ...often, parameters: { mode } });
    assert.equal(got.platformVersion, "stv2");
    assert.equal(got.publicIPAddresses.length, mode === "NewIP" ? 2 : 1);
    assert.ok(got.publicIPAddresses.includes(old.publicIPAddresses[0]));
    await fails(client.apiManagementService.beginMigrateToStv2AndWait(group, moved, { ...often, parameters: { mode } }), 400, "InvalidParameters");
    await client.apiManagementService.beginDeleteAndWait(group, moved, often);
    await client.deletedServices.beginPurgeAndWait(moved, "westeurope", often);
  });
}

test("what is refused", async () => {
  await fails(client.apiManagementService.get("nowhere", name), 404, "ResourceGroupNotFound");
  await fails(client.api.get(group, name, "none"), 404, "ResourceNotFound");
  await fails(client.apiManagementService.beginCreateOrUpdateAndWait(group, "zoned", { ...wanted, zones: ["1"] }, often), 400, "InvalidParameters");
  await fails(client.apiManagementService.beginCreateOrUpdateAndWait(group, "no_name", wanted, often), 400, "InvalidResourceName");
  await fails(client.product.delete(group, name, "gold", anyTag), 400, "ValidationError");
  const stranger = new ApiManagementClient(login("wrong"), subscriptionId, options);
  await assert.rejects(stranger.apiManagementService.get(group, name), /AADSTS7000215/);
});

test("delete, deleted services and purge", async () => {
  await client.product.delete(group, name, "gold", anyTag, { deleteSubscriptions: true });
  await fails(client.subscription.get(group, name, "sub1"), 404, "ResourceNotFound");
  await client.api.beginDeleteAndWait(group, name, "imported", anyTag, often);
  await client.api.beginDeleteAndWait(group, name, "imported", anyTag, often);
  await fails(client.api.get(group, name, "imported"), 404, "ResourceNotFound");

  await client.apiManagementService.beginDeleteAndWait(group, name, often);
  await fails(client.apiManagementService.get(group, name), 404, "ResourceNotFound");
  await client.apiManagementService.beginDeleteAndWait(group, name, often);
  const record = await client.deletedServices.getByName(name, "westeurope");
  assert.equal(record.serviceId, id);
  assert.equal(record.scheduledPurgeDate - record.deletionDate, 48 * 3600 * 1000);
  assert.deepEqual(await pagesOf(client.deletedServices.listBySubscription()), [[name]]);
  await fails(client.apiManagementService.beginCreateOrUpdateAndWait(group, name, wanted, often), 409, "ServiceAlreadyExistsInSoftDeletedState");
  await client.deletedServices.beginPurgeAndWait(name, "westeurope", often);
  await fails(client.deletedServices.getByName(name, "westeurope"), 404, "ServiceNotFound");
  assert.deepEqual(await pagesOf(client.deletedServices.listBySubscription()), [[]]);
});

test("delete the group", async () => {
  await resources.resourceGroups.beginDeleteAndWait(group, often);
  assert.equal((await resources.resourceGroups.checkExistence(group)).body, false);
  await fails(resources.resourceGroups.beginDeleteAndWait(group, often), 404, "ResourceGroupNotFound");
});
