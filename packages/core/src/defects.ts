/**
 * For the `catch` of a promise that nobody waits for and that only a defect rejects: the process ends, as it does by any
 * exception that nobody foresaw, and others take its work over.
 */
export function endByDefect(defect: unknown): void {
  setImmediate(() => {
    throw defect;
  });
}
