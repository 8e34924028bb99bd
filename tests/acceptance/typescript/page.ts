// Pages through all applications from both ends with the generated types; prints what it found.
import type { TypedDocumentNode } from "@graphql-typed-document-node/core";
import { print } from "graphql";
import {
  ApplicationsPageDocument,
  NodeByIdDocument,
  RegisterApplicationDocument,
} from "./client.js";
import type { ApplicationsPageQuery } from "./client.js";

const PAGE = 100;
const [url, token] = process.argv.slice(2) as [string, string];

async function ask<Data, Variables>(
  document: TypedDocumentNode<Data, Variables>,
  variables: Variables,
): Promise<Data> {
  const response = await fetch(url, {
    method: "POST",
    headers: {
      Accept: "application/graphql-response+json",
      Authorization: `Bearer ${token}`,
      "Content-Type": "application/json",
    },
    body: JSON.stringify({ query: print(document), variables }),
  });
  const answer = (await response.json()) as { data?: Data; errors?: unknown };
  if (answer.data === undefined || answer.errors !== undefined) {
    throw new Error(JSON.stringify(answer.errors));
  }
  return answer.data;
}

type Applications = ApplicationsPageQuery["applications"];

async function whole(forwards: boolean): Promise<string[]> {
  const found: string[] = [];
  let cursor: string | null | undefined;
  let more = true;
  while (more) { // ends: each page has others
    const place = forwards ? { first: PAGE, after: cursor } : { last: PAGE, before: cursor };
    const page: Applications = (await ask(ApplicationsPageDocument, place)).applications;
    found.push(...page.edges.map((edge) => edge.node.id));
    cursor = forwards ? page.pageInfo.endCursor : page.pageInfo.startCursor;
    more = forwards ? page.pageInfo.hasNextPage : page.pageInfo.hasPreviousPage;
  }
  return found;
}

const forwards = await whole(true);
const backwards = await whole(false);
const first = await ask(NodeByIdDocument, { id: forwards[0] ?? "" });
const input = { teamId: "x", name: "New", reason: "", dryRun: false };
const { registerApplication: refused } = await ask(RegisterApplicationDocument, { input });
console.log(
  JSON.stringify({
    forwards: forwards.length,
    backwards: backwards.length,
    different: new Set([...forwards, ...backwards]).size,
    node: first.node?.__typename,
    refused: refused.__typename === "Rejected" ? refused.code : "",
  }),
);
