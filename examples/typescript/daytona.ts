import { Daytona } from "@daytonaio/sdk";
import type { Environment, Sandbox } from "./sandbox.ts";

/** A sandbox of Daytona. Reads `DAYTONA_API_KEY`; `snapshot` is one that has `pincite` in it. */
export async function daytona(envVars: Environment, snapshot: string): Promise<Sandbox> {
  const box = await new Daytona().create({ snapshot, envVars });
  return {
    run: async (command) => {
      const { exitCode, result } = await box.process.executeCommand(command);
      if (exitCode !== 0) throw new Error(`${command} ended with ${exitCode}: ${result}`);
      return result;
    },
    hibernate: () => box.stop(),
    resume: () => box.start(),
    delete: () => box.delete(),
  };
}
