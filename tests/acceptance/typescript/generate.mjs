// Writes a typed client of the operations with graphql-codegen: generate.mjs SDL OPERATIONS TARGET
import { readFileSync, writeFileSync } from "node:fs";
import { codegen } from "@graphql-codegen/core";
import * as documents from "@graphql-codegen/typed-document-node";
import * as types from "@graphql-codegen/typescript";
import * as operations from "@graphql-codegen/typescript-operations";
import { parse } from "graphql";

const [sdl, asked, target] = process.argv.slice(2);
const scalars = {
  Count: "number",
  DateTime: "string",
  Decimal: "string",
  JSON: "unknown",
  Position: "string",
};
const source = await codegen({
  filename: target,
  schema: parse(readFileSync(sdl, "utf8")),
  documents: [{ location: asked, document: parse(readFileSync(asked, "utf8")) }],
  config: { scalars, useTypeImports: true, enumsAsTypes: true, strictScalars: true },
  plugins: [{ types: {} }, { operations: {} }, { documents: {} }],
  pluginMap: { types, operations, documents },
});
writeFileSync(target, source);
