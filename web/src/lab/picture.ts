/** A picture file as shades of grey for a field: read here, sent nowhere. */
import { SIDE, type Shades } from '../lib/picture-code';

/** Shades from 0 to 1, row 0 at the bottom. Throws an error with what to do where the file holds no picture. */
export async function shadesOf(file: Blob): Promise<Shades> {
  let bitmap: ImageBitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    throw new Error('This file holds no picture that the browser can read. Take a PNG, JPEG, WebP or GIF.');
  }
  const scale = Math.min(1, SIDE / Math.max(bitmap.width, bitmap.height));
  const columns = Math.max(1, Math.round(bitmap.width * scale));
  const rows = Math.max(1, Math.round(bitmap.height * scale));
  const canvas = document.createElement('canvas');
  canvas.width = columns;
  canvas.height = rows;
  const context = canvas.getContext('2d', { willReadFrequently: true })!;
  // What is transparent counts as black.
  context.fillStyle = '#000';
  context.fillRect(0, 0, columns, rows);
  context.drawImage(bitmap, 0, 0, columns, rows);
  bitmap.close();
  const { data } = context.getImageData(0, 0, columns, rows);
  const values = new Float32Array(columns * rows);
  for (let j = 0; j < rows; j++) {
    for (let i = 0; i < columns; i++) {
      const at = 4 * ((rows - 1 - j) * columns + i);
      // Luma of Rec. 709.
      values[j * columns + i] = (0.2126 * data[at]! + 0.7152 * data[at + 1]! + 0.0722 * data[at + 2]!) / 255;
    }
  }
  return { columns, values };
}
