// In the head of the document (asgi.py), before everything else. A browser gives up what it is fetching when a network interface of the machine comes
// or goes (net::ERR_NETWORK_CHANGED), as when a container starts. Without one of its scripts Streamlit's page stays empty for ever, and says nothing:
// it is loaded again, a few times in a row at most. What is shown is kept in the address. plotly.js is no module; plot.js asks for it again itself.
(() => {
  const KEY = "pagepulse-reloads", MOST = 5, CALM_MS = 30_000;
  let ending = false;

  function again() {
    let before = MOST; // where nothing can be kept nothing is counted either
    try {
      before = Number(sessionStorage.getItem(KEY));
      sessionStorage.setItem(KEY, before + !ending);
    } catch { /* storage is blocked */ }
    if (ending || before >= MOST) return;
    ending = true;
    setTimeout(() => location.reload(), 1_000 * (before + 1));
  }

  function calm() {
    try {
      if (!ending) sessionStorage.removeItem(KEY);
    } catch { /* as above */ }
  }

  addEventListener("error", ({ target }) => {
    if (target instanceof Element && target.matches("script[type=module], link[rel=modulepreload], link[rel=stylesheet]")) again();
  }, true);
  addEventListener("vite:preloadError", again); // a part that is fetched when it is first needed
  setTimeout(calm, CALM_MS);
})();
