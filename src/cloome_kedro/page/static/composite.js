// Five-channel thumbnails as colour pictures. The blend is "screen", as in the pictures of the report:
// 1 - prod(1 - intensity x colour).

/** Tables from a pixel of each shown channel to what it leaves dark in red, green and blue. */
export function tables(limits, colours, shown, contrast) {
  const isOne = shown.filter(Boolean).length === 1;
  return Object.values(colours).map((colour, channel) => {
    if (!shown[channel]) return null;
    const [low, high] = limits[channel];
    const range = Math.max(1, (high - low) / 2 ** contrast);
    const table = new Float32Array(256 * 3);
    for (let value = 0; value < 256; value += 1) {
      const level = Math.min(1, Math.max(0, (value - low) / range));
      for (let part = 0; part < 3; part += 1) table[3 * value + part] = 1 - level * (isOne ? 1 : colour[part]);
    }
    return table;
  });
}

/** Draw a field, `pixels` being its five channels one after the other, onto a canvas. */
export function draw(canvas, pixels, height, width, channelTables) {
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d");
  const picture = context.createImageData(width, height);
  const size = height * width;
  for (let at = 0; at < size; at += 1) {
    let red = 1, green = 1, blue = 1;
    for (let channel = 0; channel < channelTables.length; channel += 1) {
      const table = channelTables[channel];
      if (!table) continue;
      const value = 3 * pixels[channel * size + at];
      red *= table[value];
      green *= table[value + 1];
      blue *= table[value + 2];
    }
    picture.data[4 * at] = 255 * (1 - red);
    picture.data[4 * at + 1] = 255 * (1 - green);
    picture.data[4 * at + 2] = 255 * (1 - blue);
    picture.data[4 * at + 3] = 255;
  }
  context.putImageData(picture, 0, 0);
}
