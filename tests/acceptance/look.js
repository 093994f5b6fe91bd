// What a reader of the page would see at once, as numbers and lists: what sticks out, is broken, overlaps or is hard to read.
(() => {
  const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  canvas.canvas.width = canvas.canvas.height = 1;
  const cache = new Map();
  const rgba = colour => {
    if (!cache.has(colour)) {
      canvas.clearRect(0, 0, 1, 1);
      canvas.fillStyle = "#000";
      canvas.fillStyle = colour;
      canvas.fillRect(0, 0, 1, 1);
      const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
      cache.set(colour, [r, g, b, a / 255]);
    }
    return cache.get(colour);
  };
  const over = ([r, g, b, a], [R, G, B]) => [r * a + R * (1 - a), g * a + G * (1 - a), b * a + B * (1 - a), 1];
  const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const dark = matchMedia("(prefers-color-scheme: dark)").matches && !matchMedia("print").matches;
  const behind = element => {
    const layers = [];
    for (let each = element; each; each = each.parentElement) layers.push(rgba(getComputedStyle(each).backgroundColor));
    return layers.reverse().reduce((under, layer) => over(layer, under), dark ? [18, 24, 30, 1] : [255, 255, 255, 1]);
  };
  const isSeen = element => element.checkVisibility({contentVisibilityAuto: true, opacityProperty: true, visibilityProperty: true});
  const folded = [...document.querySelectorAll("details:not(.more)")].filter(details => !isSeen(details.querySelector(".verdicts")));
  for (const details of document.querySelectorAll("details")) details.open = true;
  const pale = new Set(), walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let texts = 0;
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement, text = walker.currentNode.textContent.trim();
    if (!text || ["SCRIPT", "STYLE", "title"].includes(element.tagName) || !isSeen(element)) continue;
    texts += 1;
    const style = getComputedStyle(element), isDrawn = element instanceof SVGElement, ground = behind(element);
    const shade = over(rgba(isDrawn ? style.fill : style.color), ground);
    const [one, two] = [light(shade), light(ground)].sort((a, b) => b - a), ratio = (one + 0.05) / (two + 0.05);
    const size = parseFloat(style.fontSize), isLarge = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (ratio < (isLarge ? 3 : 4.5)) pale.add(`${ratio.toFixed(2)}: ${text.slice(0, 40)}`);
  }
  const width = document.documentElement.clientWidth;
  const canScroll = element => {
    for (let each = element; each; each = each.parentElement)
      if (each !== document.body && each !== document.documentElement && getComputedStyle(each).overflowX !== "visible") return true;
    return false;
  };
  const wide = [...document.body.querySelectorAll("*")].filter(element => isSeen(element) && !(element instanceof SVGElement &&
    element.tagName !== "svg") && element.getBoundingClientRect().right > width + 1 && !canScroll(element));
  const overlapping = [];
  for (const picture of document.querySelectorAll("svg.picture")) {
    const labels = [...picture.querySelectorAll("text")].filter(isSeen).map(text => [text.textContent, text.getBoundingClientRect()]);
    labels.forEach(([name, one], index) => labels.slice(index + 1).forEach(([other, two]) => {
      const across = Math.min(one.right, two.right) - Math.max(one.left, two.left);
      const down = Math.min(one.bottom, two.bottom) - Math.max(one.top, two.top);
      if (across > 1.5 && down > 0.35 * Math.min(one.height, two.height)) overlapping.push(`${name} | ${other}`);
    }));
  }
  return {
    sideways: document.documentElement.scrollWidth - width,
    wide: wide.slice(0, 5).map(element => element.outerHTML.slice(0, 120)),
    broken: [...document.images].filter(image => !image.complete || !image.naturalWidth).map(image => image.src),
    blank: [...document.querySelectorAll("svg")].filter(svg => isSeen(svg) && svg.getBoundingClientRect().width < 8).map(svg => svg.getAttribute("aria-label")),
    links: [...document.querySelectorAll("a")].map(link => link.getAttribute("href")),
    lost: [...document.querySelectorAll("a[href^='#']")].map(link => link.getAttribute("href")).filter(href => !document.getElementById(href.slice(1))),
    headings: [...document.querySelectorAll("h1, h2, h3")].map(heading => heading.textContent.trim()),
    pale: [...pale], overlapping, texts,
    folded: folded.length,
  };
})()
