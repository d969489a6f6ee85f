// The contrast of every visible text below an element, by the formula of WCAG 2.1, success criterion 1.4.3.
//
// The colours are the computed ones. A background is what is really behind the text: half-transparent
// layers are blended down to the first opaque one. A text on a picture or a gradient can't be computed
// and is reported as such, with a contrast of 0.
(root) => {
  const parse = (text) => {
    const [r, g, b, a = 1] = text.match(/[\d.]+/g).map(Number);
    // color(srgb ...) counts to 1, rgb(...) to 255
    return text.startsWith("color(srgb") ? [r * 255, g * 255, b * 255, a] : [r, g, b, a];
  };
  const blend = (over, under) =>
    [0, 1, 2].map((i) => over[i] * over[3] + under[i] * (1 - over[3])).concat(1);
  const luminance = (colour) => {
    const [r, g, b] = colour.map((part) => {
      const share = part / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratio = (one, other) => {
    const [dark, bright] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (bright + 0.05) / (dark + 0.05);
  };
  const ancestors = function* (element) {
    for (let node = element; node; node = node.parentElement) yield node;
  };
  // What is behind an element's text, and whether a picture is part of it.
  const behind = (element) => {
    const layers = [];
    for (const node of ancestors(element)) {
      const style = getComputedStyle(node);
      // A picture that is not repeated stands beside the text, as the arrow of a drop-down does.
      if (style.backgroundImage !== "none" && style.backgroundRepeat !== "no-repeat") return null;
      const colour = parse(style.backgroundColor);
      if (colour[3] > 0) layers.push(colour);
      if (colour[3] === 1) break;
    }
    return layers.reverse().reduce((under, over) => blend(over, under), [255, 255, 255, 1]);
  };
  const opacity = (element) =>
    [...ancestors(element)].reduce((all, node) => all * getComputedStyle(node).opacity, 1);

  const measure = (element, text) => {
    const [style, background] = [getComputedStyle(element), behind(element)];
    const ink = parse(style.color);
    ink[3] *= opacity(element);
    return {
      text: text.trim().slice(0, 60),
      tag: element.tagName.toLowerCase(),
      // WCAG exempts inactive controls.
      inactive: element.closest(":disabled") !== null,
      colours: `${style.color} on ${background ? `rgb(${background.slice(0, 3).map(Math.round)})` : "a picture"}`,
      contrast: background ? ratio(blend(ink, background), background) : 0,
    };
  };
  const visible = (element) =>
    element.checkVisibility({ opacityProperty: true, visibilityProperty: true }) &&
    element.getClientRects().length > 0;

  const drawn = (text) => {
    const range = document.createRange();
    range.selectNode(text);
    return range.getClientRects().length > 0; // not inside closed <details>
  };

  const found = [];
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode;
    const element = text.parentElement;
    const shown = text.data.trim() && !["STYLE", "SCRIPT", "OPTION"].includes(element.tagName);
    if (shown && visible(element) && drawn(text)) found.push(measure(element, text.data));
  }
  // Texts in fields are no text nodes.
  for (const field of root.querySelectorAll("input, textarea, select")) {
    const text = field.selectedOptions ? [...field.options].map((o) => o.text).join() : field.value;
    if (text && visible(field)) found.push(measure(field, text));
  }
  return found;
}
