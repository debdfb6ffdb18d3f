/* Says which window of the pipeline the view of this page falls into. */
const at = new Date(), minute = new Date(at); minute.setSeconds(0, 0);
const clock = (time, seconds) => time.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", ...(seconds && { second: "2-digit" }) });
const end = new Date(minute.getTime() + 60000), five = new Date(Math.floor(at / 300000) * 300000);
document.getElementById("note").textContent =
  `You viewed ${location.pathname} at ${clock(at, true)}. The view counts in the minute ${clock(minute)} to ${clock(end)} ` +
  `and in the five minutes from ${clock(five)}. Look at the page "Sources" of the dashboard: it is there within a second or two.`;
