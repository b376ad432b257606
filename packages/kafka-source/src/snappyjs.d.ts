/** snappyjs ships no types. A Buffer in gives a Buffer out. */
declare module 'snappyjs' {
  const snappyjs: {
    compress(data: Uint8Array): Buffer;
    uncompress(data: Uint8Array): Buffer;
  };
  export default snappyjs;
}
