// Runs the audit of the npm package graphql-http against an endpoint; prints one JSON array.
import { serverAudits } from "graphql-http";

const [url, token] = process.argv.slice(2);
const audits = serverAudits({
  url,
  fetchFn: (address, init = {}) =>
    fetch(address, {
      ...init,
      headers: { ...init.headers, authorization: `Bearer ${token}` },
      signal: AbortSignal.timeout(10_000),
    }),
});
const results = [];
for (const audit of audits) {
  const result = await audit.fn();
  results.push({ name: audit.name, status: result.status, reason: result.reason ?? "" });
}
console.log(JSON.stringify(results));
