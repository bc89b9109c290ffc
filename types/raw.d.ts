/** A file of a package as text, which the bundler and the tests' runner put in. */
declare module '*?raw' {
  const text: string;
  export default text;
}
