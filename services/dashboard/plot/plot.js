// One chart of a page. Streamlit calls the function below when the chart appears and whenever its data have changed.
// Plotly.react changes only what differs: the element, the viewer's zoom and the hidden traces stay.

let loading;

// After the next picture: plotly.js is large, and to run it takes half a second in which nothing else is drawn, not even the heading.
function painted() {
  return new Promise((resolve) => {
    requestAnimationFrame(() => setTimeout(resolve));
    setTimeout(resolve, 1000); // a page in the background has no pictures
  });
}

async function plotly(address) {
  if (window.Plotly) return window.Plotly;
  loading ??= painted().then(() => fetched(address));
  return loading;
}

function fetched(address) {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.addEventListener("load", () => resolve(window.Plotly));
    script.addEventListener("error", () => {
      loading = undefined; // the next refresh tries again
      script.remove();
      reject(new Error("plotly.js cannot be loaded"));
    });
    script.src = address;
    document.head.append(script);
  });
}

// Charts take turns: the first is on the screen before the next is drawn, and clicks are handled in between.
let turn = Promise.resolve();

function inTurn(work) {
  const mine = turn.then(() => new Promise((begin) => setTimeout(begin))).then(work);
  turn = mine.catch(() => {});
  return mine;
}

// The zoom that all charts over time have, if the viewer wants it: a range of the x axis within a period (the range of the page).
let common = { period: undefined, range: undefined };

class Chart {
  constructor(place) {
    this.place = place;
    this.held = false; // a pointer is down on it: to redraw now would end a zoom that is being drawn
    this.next = undefined;
    this.following = 0; // changes of its axis that come from another chart's zoom and are not over yet
    this.ended = false;
    this.hold = () => { this.held = true; };
    this.release = () => {
      if (!this.held) return;
      this.held = false;
      inTurn(() => this.draw()).catch(console.error); // after plotly's own handler
    };
    place.addEventListener("pointerdown", this.hold, true);
    window.addEventListener("pointerup", this.release, true);
    window.addEventListener("pointercancel", this.release, true);
    this.observer = new ResizeObserver(() => this.fit());
    this.observer.observe(place);
  }

  async show({ figure, config, alt, library, name, zoomPeriod }) {
    this.place.dataset.chart = name;
    const { data, layout } = JSON.parse(figure);
    this.period = (layout.meta?.time && zoomPeriod) || undefined;
    this.place.dataset.zoom = this.period === undefined ? "own" : "common";
    this.full = layout.height;
    layout.height = this.height(layout);
    if (layout.meta?.wide) {
      layout.meta.wide.narrow = layout.yaxis.ticktext;
      layout.yaxis.ticktext = this.names(layout);
    }
    this.place.style.height = `${layout.height}px`; // before plotly is there, so that nothing below it jumps
    this.place.setAttribute("role", "figure");
    this.place.setAttribute("aria-label", alt);
    layout.font = { ...layout.font, family: getComputedStyle(this.place).fontFamily };
    this.next = { data, layout, config };
    this.Plotly = await plotly(library);
    await inTurn(() => this.draw());
  }

  // as its layout says; with an aspect, not higher than that part of its width
  height(layout) {
    const aspect = layout.meta?.aspect;
    return aspect && this.place.offsetWidth ? Math.min(this.full, Math.round(aspect * this.place.offsetWidth)) : layout.height;
  }

  // what the axis of names says: more of each where the chart is wide
  names(layout) {
    const wide = layout.meta?.wide;
    return wide && (this.place.offsetWidth >= wide.px ? wide.labels : wide.narrow);
  }

  async draw() {
    if (this.held || this.ended || !this.next) return;
    const { data, layout, config } = this.next;
    this.next = undefined;
    if (this.period !== undefined && common.period === this.period && common.range) {
      layout.xaxis = { ...layout.xaxis, range: [...common.range], autorange: false };
    }
    await this.Plotly.react(this.place, data, layout, config);
    if (!this.listening) this.place.on("plotly_relayout", (change) => this.zoomed(change));
    this.listening = true;
  }

  // A zoom on one chart over time is one on all of them, if the viewer wants it. Plotly reports a change only after it is drawn, also one
  // that comes from here: without the count each chart would answer the others for ever.
  zoomed(change) {
    if (this.period === undefined || this.following) return;
    const range = "xaxis.range[0]" in change ? [change["xaxis.range[0]"], change["xaxis.range[1]"]] : change["xaxis.range"];
    if (!range && !change["xaxis.autorange"]) return;
    common = { period: this.period, range };
    for (const other of charts.values()) if (other !== this && other.period === this.period) other.follow(range);
  }

  async follow(range) {
    if (this.ended || !this.place._fullLayout) return;
    this.following += 1;
    try {
      await this.Plotly.relayout(this.place, range ? { "xaxis.range": [...range], "xaxis.autorange": false } : { "xaxis.autorange": true });
    } finally {
      this.following -= 1;
    }
  }

  fit() {
    // collapsed it has no width; plotly would fall back to one of its own
    if (!this.place.offsetWidth || !this.place._fullLayout) return;
    const layout = this.place.layout, height = this.height(layout), names = this.names(layout);
    if (height === layout.height && (!names || names === layout.yaxis.ticktext)) return this.Plotly.Plots.resize(this.place);
    this.place.style.height = `${height}px`;
    this.Plotly.relayout(this.place, { height, autosize: true, ...(names && { "yaxis.ticktext": names }) });
  }

  end() {
    this.ended = true;
    this.observer.disconnect();
    this.place.removeEventListener("pointerdown", this.hold, true);
    window.removeEventListener("pointerup", this.release, true);
    window.removeEventListener("pointercancel", this.release, true);
    // A drawing that has begun ends first: a map waits for its outlines, and then draws on what a purge has removed.
    inTurn(() => {
      if (this.place._fullLayout) this.Plotly.purge(this.place);
    });
  }
}

const charts = new Map(); // by their places

export default function ({ data, parentElement }) {
  if (!data.figure) return void plotly(data.library).catch(console.error); // nothing to draw yet
  const place = parentElement.querySelector(".plot");
  if (!charts.has(place)) charts.set(place, new Chart(place));
  const chart = charts.get(place);
  chart.show(data).catch((error) => {
    if (!place._fullLayout) place.textContent = `The chart cannot be drawn: ${error.message}.`;
    console.error(error);
  });
  return () => {
    chart.end();
    charts.delete(place);
  };
}
