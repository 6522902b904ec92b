/** Gives the memory of arrays back at once: garbage collection would leave large ones until much later. */
export function release(...arrays: readonly { buffer: ArrayBufferLike }[]): void {
  for (const array of arrays) (array.buffer as ArrayBuffer).transfer(0);
}
