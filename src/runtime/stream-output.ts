/** Standard output as something to write a long result to: at the pace of its reader. */

export interface StreamOutput {
  /** Resolves when the text was taken: false where the reader has gone away (EPIPE) and no more is wanted. */
  write(text: string): Promise<boolean>;
  finish(): Promise<void>;
  discard(): Promise<void>;
}

export function streamOutput(stream: NodeJS.WriteStream): StreamOutput {
  let isWanted = true;
  return {
    write: (text) =>
      new Promise((resolve, reject) => {
        if (!isWanted || text === '') return resolve(isWanted);
        stream.write(text, (error) => {
          if (error !== null && error !== undefined) {
            // A reader that has gone away is no failure: it has seen what it wanted.
            if ((error as NodeJS.ErrnoException).code !== 'EPIPE') return reject(error);
            isWanted = false;
          }
          resolve(isWanted);
        });
      }),
    finish: async () => undefined,
    discard: async () => undefined,
  };
}
