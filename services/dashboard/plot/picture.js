// Saves a chart of this page as a PNG, on the page's own background.

export default function ({ data, parentElement }) {
  parentElement.querySelector(".picture").onclick = async () => {
    const place = document.querySelector(`.plot[data-chart="${CSS.escape(data.name)}"]`);
    if (!place?._fullLayout) return;
    const background = getComputedStyle(document.querySelector(".stApp")).backgroundColor;
    const { width, height } = place.getBoundingClientRect();
    const layout = { ...place.layout, paper_bgcolor: background, width, height };
    const picture = await window.Plotly.toImage({ data: place.data, layout, config: place._context }, { format: "png", scale: 2 });
    const link = document.createElement("a");
    link.href = picture;
    link.download = `pagepulse-${data.name}.png`;
    link.click();
  };
}
