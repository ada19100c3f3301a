/** A sandbox of any provider, as far as the hooks below need it. */
export interface Sandbox {
  /** Runs a command in the sandbox and returns what it printed; throws where the command fails. */
  run(command: string): Promise<string>;
  /** Puts the sandbox to sleep. Its disk may be gone afterwards. */
  hibernate(): Promise<void>;
  /** Wakes the sandbox up. */
  resume(): Promise<void>;
  delete(): Promise<void>;
}

/** What `pincite` in the sandbox reads: the server and a key for it. */
export type Environment = { PINCITE_URL: string; PINCITE_API_KEY: string };

/** The folder of the sandbox that is kept in step with the workspace. */
export const FOLDER = "work";

/** Fills the folder from the workspace: call it when a sandbox was created or resumed. */
export async function fill(sandbox: Sandbox): Promise<void> {
  await sandbox.run(`pincite sync ${FOLDER} "$PINCITE_URL" --once`);
}

/** Hibernates when everything in the folder is on the server; returns the revision up to which it is. */
export async function hibernate(sandbox: Sandbox): Promise<number> {
  const { revision } = JSON.parse(await sandbox.run(`pincite sync ${FOLDER} "$PINCITE_URL" --flush --json`));
  await sandbox.hibernate();
  return revision;
}

/** Resumes, and fills the folder anew. */
export async function resume(sandbox: Sandbox): Promise<void> {
  await sandbox.resume();
  await fill(sandbox);
}
