// Looking again, as long as somebody looks.

/** Wait some seconds; sooner over when the view is left. */
export function pause(seconds, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(done, seconds * 1000);
    function done() {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    }
    signal.addEventListener("abort", done);
  });
}

function visible(signal) {
  if (!document.hidden || signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => resolve();
    document.addEventListener("visibilitychange", done, { once: true });
    signal.addEventListener("abort", done, { once: true });
  });
}

/** Do something again and again until the view is left, or it says `true`: "enough". Not while the tab is hidden. */
export async function every(seconds, signal, work) {
  while (!signal.aborted) {
    if ((await work()) === true) return;
    await pause(seconds, signal);
    await visible(signal);
  }
}
