/* PagePulse tracker. No cookie, no fingerprint. Use: <script src="https://collector.example/pagepulse.js" defer></script>
   Attributes: data-user="42" the site's own number of the user; data-manual: no automatic views, call pagepulse.view() yourself. */
(() => {
  const script = document.currentScript, nav = navigator;
  const quiet = { view() {} };
  if (nav.doNotTrack === "1" || nav.globalPrivacyControl) { window.pagepulse = quiet; return; }
  const target = new URL("collect", script.src).href;
  const IDLE = 18e5, MOST = 50, KEY = "pagepulse";
  const id = () => [...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, "0")).join("");
  let memory;
  const load = () => { try { return JSON.parse(sessionStorage.getItem(KEY)) || memory; } catch { return memory; } };
  const save = (state) => { memory = state; try { sessionStorage.setItem(KEY, JSON.stringify(state)); } catch {} };
  const now = Date.now;
  const state = () => {
    const s = load();
    return s && now() - s.seen < IDLE ? s : { session: id(), queue: (s && s.queue) || [] };
  };
  let timer, wait = 1e3, busy, previous = document.referrer;
  const later = (ms) => { clearTimeout(timer); timer = setTimeout(flush, ms); };
  const body = (queue) => JSON.stringify(queue.map(({ at, ...event }) => ({ ...event, delay_ms: Math.max(0, now() - at) })));
  const drop = (sent) => { const s = load(); if (s) { s.queue = s.queue.filter((e) => !sent.some((x) => x.id === e.id)); save(s); } };
  const flush = async () => {
    const s = load(), sent = s ? s.queue.slice(0, MOST) : [];
    if (busy || !sent.length) return;
    busy = true;
    try {
      const answer = await fetch(target, { method: "POST", body: body(sent), keepalive: true, credentials: "omit" });
      if (answer.status < 400 || (answer.status < 500 && answer.status !== 429)) { drop(sent); wait = 1e3; } else throw 0;
    } catch { wait = Math.min(wait * 2, 6e4); }
    busy = false;
    if (load().queue.length) later(wait);
  };
  const view = () => {
    const s = state(), user = +script.dataset.user;
    const event = { id: id(), session: s.session, url: location.href.slice(0, 2048), referrer: previous.slice(0, 2048), at: now() };
    if (user > 0) event.user = user;
    previous = location.href;
    s.queue = [...s.queue, event].slice(-500);
    s.seen = now();
    save(s);
    later(200);
    return event;
  };
  addEventListener("pagehide", () => {
    // The same ids are sent again at the next page if this beacon is lost: the collector counts each once.
    const s = load();
    if (s && s.queue.length) nav.sendBeacon(target, body(s.queue.slice(0, MOST)));
  });
  addEventListener("online", () => later(0));
  window.pagepulse = { view };
  if (script.dataset.manual !== undefined) return;
  for (const name of ["pushState", "replaceState"]) {
    const original = history[name];
    history[name] = function (...args) {
      const before = location.pathname;
      const result = original.apply(this, args);
      if (location.pathname !== before) view();
      return result;
    };
  }
  addEventListener("popstate", view);
  view();
})();
