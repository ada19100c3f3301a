/**
 * Drives an MCP server with the official client in TypeScript and prints what it saw as one JSON document.
 *
 * usage: node mcp_client.mjs PLAN
 *
 * PLAN is a JSON file: {"url": …, "mode": "legacy", "auto" or a revision, "calls": [{"name": …, "arguments": {…}}, …]}. An argument
 * {"$result": [number, pointer]} stands for a place in the structured content of an earlier call. The client checks structured content
 * against the tool's output schema.
 */
import { readFileSync } from "node:fs";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";

const plan = JSON.parse(readFileSync(process.argv[2], "utf8"));
const results = [];

/** An argument with the places of earlier results that it names. */
function filled(value) {
  if (Array.isArray(value)) return value.map(filled);
  if (value === null || typeof value !== "object") return value;
  if (value.$result) {
    const [number, pointer] = value.$result;
    return pointer.split("/").slice(1).reduce((at, key) => at[key], results[number].structuredContent);
  }
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, filled(inner)]));
}

const mode = ["legacy", "auto"].includes(plan.mode) ? plan.mode : { pin: plan.mode };
const client = new Client({ name: "tests", version: "1" }, { versionNegotiation: { mode } });
await client.connect(new StreamableHTTPClientTransport(new URL(plan.url)));
const { tools } = await client.listTools();
for (const { name, arguments: given } of plan.calls) {
  results.push(await client.callTool({ name, arguments: filled(given) }));
}
await client.close();
process.stdout.write(JSON.stringify({ tools: tools.map((tool) => tool.name), results }));
