import { Sandbox as Box } from "e2b";
import type { Environment, Sandbox } from "./sandbox.ts";

/** A sandbox of E2B. Reads `E2B_API_KEY`; `template` is one that has `pincite` in it. */
export async function e2b(envs: Environment, template: string): Promise<Sandbox> {
  let box = await Box.create(template, { envs, lifecycle: { onTimeout: "pause" } });
  return {
    run: async (command) => (await box.commands.run(command, { timeoutMs: 0 })).stdout,
    hibernate: async () => {
      await box.pause();
    },
    resume: async () => {
      box = await Box.connect(box.sandboxId);
    },
    delete: async () => {
      await box.kill();
    },
  };
}
