import { CodeSandbox } from "@codesandbox/sdk";
import type { Environment, Sandbox } from "./sandbox.ts";

/**
 * A sandbox of CodeSandbox, whose SDK is winding down: for something new, take E2B or Daytona. Reads `CSB_API_KEY`; `id` is a
 * template that has `pincite` in it.
 */
export async function codesandbox(env: Environment, id: string): Promise<Sandbox> {
  const { sandboxes } = new CodeSandbox(process.env.CSB_API_KEY, { baseUrl: process.env.CSB_BASE_URL });
  let box = await sandboxes.create({ id });
  let client = await box.connect();
  return {
    run: (command) => client.commands.run(command, { env }),
    hibernate: async () => {
      await client.disconnect();
      await sandboxes.hibernate(box.id);
    },
    resume: async () => {
      box = await sandboxes.resume(box.id);
      client = await box.connect();
    },
    delete: async () => {
      await client.disconnect();
      await sandboxes.delete(box.id);
    },
  };
}
