/** The page's only reading of time: milliseconds since the epoch, by the browser's clock. */
export const now = () => Date.now();
