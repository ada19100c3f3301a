/**
 * An agent writes a file, its sandbox hibernates and loses its disk, and the file loads again, is searchable and cited.
 *
 * usage: node five-steps.ts e2b|daytona|codesandbox TEMPLATE
 */
import { codesandbox } from "./codesandbox.ts";
import { daytona } from "./daytona.ts";
import { e2b } from "./e2b.ts";
import { type Environment, FOLDER, fill, hibernate, resume } from "./sandbox.ts";

const { PINCITE_URL = "", PINCITE_API_KEY = "" } = process.env;
const environment: Environment = { PINCITE_URL, PINCITE_API_KEY };

/** Asks the server. */
async function ask(verb: string, body: object): Promise<any> {
  const headers = { authorization: `Bearer ${PINCITE_API_KEY}`, "content-type": "application/json" };
  const reply = await fetch(`${PINCITE_URL}/v1/workspaces/default/${verb}`, { method: "POST", headers, body: JSON.stringify(body) });
  if (!reply.ok) throw new Error(`${verb}: ${reply.status} ${await reply.text()}`);
  return reply.json();
}

const [provider = "", template = ""] = process.argv.slice(2);
const create = { e2b, daytona, codesandbox }[provider];
if (!create) throw new Error("usage: node five-steps.ts e2b|daytona|codesandbox TEMPLATE");
const sandbox = await create(environment, template);
try {
  // 1. The sandbox has the files of the workspace.
  await fill(sandbox);
  console.log("files:", (await sandbox.run(`cd ${FOLDER} && find . -type f -not -path '*/.*' | sort`)).trim().split("\n").join(" "));

  // 2. The agent writes a report, as any program writes a file.
  const report = "# Tide gauge\n\nThe gauge at the pier reads 3 mm too high.\n";
  await sandbox.run(`mkdir -p ${FOLDER}/runs/7 && printf '%s' '${report}' > ${FOLDER}/runs/7/report.md`);

  // 3. The sandbox hibernates, and its disk is gone.
  const revision = await hibernate(sandbox);
  console.log("durable up to revision", revision);

  // 4. It resumes, and the report loads.
  await resume(sandbox);
  const loaded = await sandbox.run(`cat ${FOLDER}/runs/7/report.md`);
  if (loaded.trim() !== report.trim()) throw new Error(`the report is another one: ${loaded}`);
  console.log("loaded:", loaded.trim().split("\n").at(-1));

  // 5. It is found, and its citation holds.
  const { hits } = await ask("search", { query: "What does the gauge at the pier read?", min_revision: revision, wait_ms: 30_000 });
  const { citation } = hits.find((hit: any) => hit.citation.path === "runs/7/report.md");
  const { verdict } = await ask("citations/verify", { citation });
  console.log(`cited: ${citation.path}:${citation.lines.start} ${verdict}`);
} finally {
  await sandbox.delete();
}
process.exit(0);
