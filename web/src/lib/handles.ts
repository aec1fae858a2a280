/** What handles on a picture have in common: places under a pointer, and steps of the arrow keys. */
import type { Range } from '../worker/protocol';

/** Signs of a step to the right and upwards, by key. */
export const ARROWS: Readonly<Record<string, readonly [number, number]>> = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowDown: [0, -1], ArrowUp: [0, 1] };

/** Coordinates at a point of the window on a picture that fills `box`; beyond its edges those of the edge. */
export function placeAt(box: DOMRect, clientX: number, clientY: number, x: Range, y: Range): [number, number] {
  const between = ([low, high]: Range, share: number) => low + Math.min(1, Math.max(0, share)) * (high - low);
  return [between(x, (clientX - box.left) / box.width), between(y, (box.bottom - clientY) / box.height)];
}
