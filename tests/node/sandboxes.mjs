/**
 * A stand-in for the providers of sandboxes: E2B, Daytona and CodeSandbox, as far as `examples/typescript` asks them.
 *
 * usage: node sandboxes.mjs FOLDER PROGRAMS
 *
 * A sandbox is a folder below FOLDER, in which commands run with PROGRAMS before their PATH. When it hibernates, the folder is wiped; when it
 * resumes, it is there anew and empty. Prints its address, then one line for each sandbox that is created, hibernates, resumes or is deleted.
 */
import { spawn } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { WebSocketServer } from "ws";
import { pack, unpack } from "./msgpack.mjs";

const [folder, programs] = process.argv.slice(2);
const boxes = new Map();
const say = (...words) => process.stdout.write(`${words.join(" ")}\n`);

function create(provider, env) {
  const id = `${provider}${boxes.size + 1}`;
  const home = join(folder, id);
  mkdirSync(home, { recursive: true });
  boxes.set(id, { home, env, isRunning: true });
  say("created", id);
  return id;
}

function hibernate(id) {
  rmSync(boxes.get(id).home, { recursive: true });
  boxes.get(id).isRunning = false;
  say("hibernated", id);
}

function resume(id) {
  const box = boxes.get(id);
  if (!box.isRunning) mkdirSync(box.home, { recursive: true });
  box.isRunning = true;
  say("resumed", id);
}

function remove(id) {
  rmSync(boxes.get(id).home, { recursive: true, force: true });
  boxes.delete(id);
  say("deleted", id);
}

/** Runs a command in a sandbox: what it printed, and its exit code. */
function run(id, command) {
  const { home, env, isRunning } = boxes.get(id);
  if (!isRunning) throw new Error(`${id} hibernates`);
  const path = `${programs}:${process.env.PATH}`;
  const child = spawn("sh", ["-c", command], { cwd: home, env: { ...env, HOME: home, PATH: path } });
  let [out, err] = ["", ""];
  child.stdout.on("data", (bytes) => (out += bytes));
  child.stderr.on("data", (bytes) => (err += bytes));
  return new Promise((done) => child.on("close", (code) => done({ out, err, code: code ?? 137 })));
}

/** A message of the Connect protocol's streams. */
function envelope(message, flags = 0) {
  const body = Buffer.from(JSON.stringify(message));
  const head = Buffer.alloc(5);
  head.writeUInt8(flags, 0);
  head.writeUInt32BE(body.length, 1);
  return Buffer.concat([head, body]);
}

const e2b = (id) => ({ sandboxID: id, templateID: "base", clientID: "stand-in", envdVersion: "0.6.0", domain: null });

async function ofE2b(method, path, body, request, reply) {
  const [, , id, verb] = /^(\/v2)?\/sandboxes\/?([^/]*)\/?([^/]*)$/.exec(path) ?? [];
  if (path === "/process.Process/Start") {
    // One message: what is to be run.
    const { process: asked } = JSON.parse(body.subarray(5));
    const { out, err, code } = await run(request.headers["e2b-sandbox-id"], asked.args.at(-1));
    reply.writeHead(200, { "content-type": "application/connect+json" });
    const encoded = (text) => Buffer.from(text).toString("base64");
    reply.write(envelope({ event: { start: { pid: 1 } } }));
    reply.write(envelope({ event: { data: { stdout: encoded(out) } } }));
    reply.write(envelope({ event: { data: { stderr: encoded(err) } } }));
    reply.write(envelope({ event: { end: { exitCode: code, exited: true, status: `exit status ${code}` } } }));
    return reply.end(envelope({}, 2));
  }
  if (method === "POST" && id === "") return json(reply, 201, e2b(create("e2b", JSON.parse(body).envVars)));
  if (verb === "pause") return json(reply, 204, hibernate(id));
  if (verb === "connect") return json(reply, 200, (resume(id), e2b(id)));
  if (method === "DELETE" && id) return json(reply, 204, remove(id));
  return json(reply, 404, { code: 404, message: `${method} ${path}` });
}

const ofState = (id, state) => ({
  id, organizationId: "stand-in", name: id, user: "daytona", env: {}, labels: {}, public: false, networkBlockAll: false, target: "local",
  cpu: 1, gpu: 0, memory: 1, disk: 1, state, toolboxProxyUrl: `${address()}/toolbox`,
});

async function ofDaytona(method, path, body, reply) {
  const [, root, id, verb] = /^\/(sandbox|toolbox)\/?([^/]*)\/?(.*)$/.exec(path) ?? [];
  const state = () => (boxes.get(id)?.isRunning ? "started" : "stopped");
  if (root === "toolbox" && verb === "process/execute") {
    const { out, err, code } = await run(id, JSON.parse(body).command);
    return json(reply, 200, { exitCode: code, result: code ? out + err : out });
  }
  if (root !== "sandbox") return json(reply, 404, { message: `${method} ${path}` });
  if (method === "POST" && id === "") return json(reply, 200, ofState(create("daytona", JSON.parse(body).env), "started"));
  if (method === "DELETE") return json(reply, 200, (remove(id), ofState(id, "destroyed")));
  if (!boxes.has(id)) return json(reply, 404, { message: "no such sandbox" });
  if (verb === "stop") hibernate(id);
  if (verb === "start") resume(id);
  return json(reply, 200, ofState(id, state()));
}

async function ofCodeSandbox(method, path, reply) {
  const [, root, id, verb] = /^\/(sandbox|vm)\/([^/]+)\/?(.*)$/.exec(path) ?? [];
  const done = (data) => json(reply, 200, { success: true, errors: [], data });
  if (root === "sandbox" && verb === "fork") {
    const box = create("codesandbox", {});
    return done({ id: box, alias: box, title: null });
  }
  if (verb === "hibernate") return done((hibernate(id), {}));
  if (method === "DELETE") return done((remove(id), {}));
  if (verb !== "start") return json(reply, 404, { errors: [`${method} ${path}`] });
  resume(id);
  const versions = { pitcher_manager_version: "1.0.0", pitcher_version: "1.0.0", latest_pitcher_version: "1.0.0" };
  const paths = { workspace_path: "/project", user_workspace_path: "/project" };
  const url = { pitcher_url: `${address().replace("http", "ws")}/pitcher/${id}`, pitcher_token: "stand-in" };
  return done({ id, bootup_type: "RESUME", cluster: "stand-in", use_pint: false, ...versions, ...paths, ...url });
}

/** What CodeSandbox's agent in a sandbox answers: it runs a shell for each command. */
function answer(id, { method, params }, notify, waiting) {
  const shell = { shellId: "shell1", name: "", status: "RUNNING", exitCode: null, buffer: [], isSystemShell: true };
  switch (method) {
    case "client/join":
      return { client: { clientId: "1", username: "stand-in" }, reconnectToken: "stand-in", capabilities: {} };
    case "setup/get":
      return { state: "FINISHED", steps: [{ name: "stand-in", command: "", finishStatus: "SUCCEEDED" }], currentStepIndex: 0 };
    case "port/list":
      return { list: [] };
    case "shell/create":
      shell.shellId = `shell${Math.random()}`;
      waiting.set(shell.shellId, run(id, params.command));
      return shell;
    case "shell/rename":
      // The SDK listens from here on; what came before, it would not hear.
      waiting.get(params.shellId)?.then(({ out, err, code }) => {
        notify("shell/out", { shellId: params.shellId, out: code ? out + err : out });
        notify("shell/exit", { shellId: params.shellId, exitCode: code });
      });
      return {};
    case "shell/open":
      return shell;
    default:
      return {};
  }
}

function json(reply, status, body) {
  reply.writeHead(status, { "content-type": "application/json" });
  reply.end(status === 204 ? undefined : JSON.stringify(body ?? {}));
}

const server = createServer(async (request, reply) => {
  const parts = [];
  for await (const part of request) parts.push(part);
  const body = Buffer.concat(parts);
  const [, provider, path] = /^\/(\w+)(\/.*)$/.exec(request.url.split("?")[0]) ?? [];
  try {
    if (provider === "e2b") await ofE2b(request.method, path, body, request, reply);
    else if (provider === "daytona") await ofDaytona(request.method, path, body, reply);
    else if (provider === "codesandbox") await ofCodeSandbox(request.method, path, reply);
    else if (provider === "toolbox") await ofDaytona(request.method, request.url, body, reply);
    else json(reply, 404, {});
  } catch (error) {
    json(reply, 500, { message: String(error) });
  }
});
const address = () => `http://127.0.0.1:${server.address().port}`;
const box = (request) => /^\/pitcher\/([^/?]+)/.exec(request.url)?.[1];
// Daytona's events are not had: its SDK asks for the state instead.
const verifyClient = ({ req }) => boxes.has(box(req));
new WebSocketServer({ server, verifyClient }).on("connection", (socket, request) => {
  const [id, waiting] = [box(request), new Map()];
  socket.on("message", (bytes) => {
    const asked = unpack(bytes);
    const notify = (method, params) => socket.send(pack({ method, params }));
    socket.send(pack({ id: asked.id, method: asked.method, status: 0, result: answer(id, asked, notify, waiting) }));
  });
});
server.listen(0, "127.0.0.1", () => say("listening on", address()));
