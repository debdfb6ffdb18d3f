// A number field and a logarithmic slider over one value, in events per second. Python has the value; this only shows it and says
// when the viewer has chosen another one: with Enter or Tab in the field, at the end of a drag, shortly after the last arrow key.

const LOW = 0.1, HIGH = 1e6; // 0 is full speed
const STEPS = [1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8];
const NICE = [];
for (let power = -1; power < 6; power++) for (const step of STEPS) NICE.push(Number((step * 10 ** power).toPrecision(3)));
NICE.push(HIGH);
const PAUSE_MS = 400;

const position = (rate) => (rate ? Math.log10(Math.min(Math.max(rate, LOW), HIGH) / LOW) / 7 * 1000 : 1000);
const atPosition = (place) => Math.min(HIGH, Math.max(LOW, Number((LOW * 10 ** (place / 1000 * 7)).toPrecision(2))));
const words = (rate) => (rate ? `${rate.toLocaleString("en", { maximumFractionDigits: 2 })} events per second` : "full speed");
const valid = (rate) => rate === 0 || (rate >= LOW && rate <= HIGH);

function stepped(key, rate) {
  switch (key) {
    case "ArrowRight": case "ArrowUp": return rate ? NICE.find((nice) => nice > rate * 1.0001) ?? HIGH : rate;
    case "ArrowLeft": case "ArrowDown": return rate ? NICE.findLast((nice) => nice < rate * 0.9999) ?? LOW : HIGH;
    case "PageUp": return rate ? Math.min(HIGH, rate * 10) : rate;
    case "PageDown": return rate ? Math.max(LOW, rate / 10) : HIGH;
    case "Home": return LOW;
    case "End": return HIGH;
  }
}

class Rate {
  constructor(root) {
    this.root = root;
    this.field = root.querySelector("input[type=number]");
    this.slider = root.querySelector("input[type=range]");
    this.note = root.querySelector(".rate-note");
    this.editing = false; // a value is being typed, dragged or stepped: what Python has is older
    this.field.addEventListener("input", () => { this.editing = true; this.show(Number(this.field.value), this.field); });
    this.field.addEventListener("change", () => this.commit(this.field.value === "" ? NaN : Number(this.field.value)));
    this.field.addEventListener("blur", () => { if (this.editing && this.field.value === "") this.settle(); });
    this.slider.addEventListener("input", () => { this.editing = true; this.rate = atPosition(Number(this.slider.value)); this.show(this.rate, this.slider); });
    this.slider.addEventListener("change", () => this.commit(this.rate));
    this.slider.addEventListener("keydown", (event) => {
      const next = stepped(event.key, this.rate);
      if (next === undefined) return;
      event.preventDefault();
      this.editing = true;
      this.rate = next;
      this.show(next);
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.commit(this.rate), PAUSE_MS);
    });
  }

  update({ rate, disabled, help }, choose) {
    this.choose = choose;
    this.known = rate;
    this.field.disabled = this.slider.disabled = disabled;
    this.root.title = help;
    if (!this.editing) this.settle();
  }

  settle() {
    this.editing = false;
    this.rate = this.known;
    this.show(this.known);
  }

  show(rate, source) {
    const wrong = !valid(rate);
    this.field.setAttribute("aria-invalid", wrong);
    this.note.textContent = wrong ? "0 for full speed, or 0.1 to 1,000,000" : rate ? "events/s" : "full speed";
    if (wrong) return;
    if (source !== this.field) this.field.value = String(rate);
    if (source !== this.slider) this.slider.value = String(position(rate));
    this.slider.setAttribute("aria-valuetext", words(rate));
  }

  commit(rate) {
    clearTimeout(this.timer);
    if (!valid(rate)) return;
    this.editing = false;
    this.rate = rate;
    this.show(rate);
    if (rate !== this.known) {
      this.known = rate;
      this.choose(rate);
    }
  }
}

const controls = new WeakMap();

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".rate-control");
  if (!controls.has(root)) controls.set(root, new Rate(root));
  controls.get(root).update(data, (rate) => setTriggerValue("rate", rate));
}
