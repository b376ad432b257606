/**
 * Ends the process for a promise that nobody waits for and that only a defect rejects (use it in its `catch`), as any
 * exception that nobody foresaw does, and others take its work over.
 */
export function endByDefect(defect: unknown): void {
  setImmediate(() => {
    throw defect;
  });
}
