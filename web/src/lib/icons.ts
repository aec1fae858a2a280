/** Lucide icons, only those in use. */
import { unsafeHTML } from 'lit/directives/unsafe-html.js';
import arrowLeft from 'lucide-static/icons/arrow-left.svg?raw';
import brush from 'lucide-static/icons/brush.svg?raw';
import check from 'lucide-static/icons/check.svg?raw';
import chevronDown from 'lucide-static/icons/chevron-down.svg?raw';
import circleHelp from 'lucide-static/icons/circle-question-mark.svg?raw';
import copy from 'lucide-static/icons/copy.svg?raw';
import crosshair from 'lucide-static/icons/crosshair.svg?raw';
import download from 'lucide-static/icons/download.svg?raw';
import dices from 'lucide-static/icons/dices.svg?raw';
import cpu from 'lucide-static/icons/cpu.svg?raw';
import eraser from 'lucide-static/icons/eraser.svg?raw';
import externalLink from 'lucide-static/icons/external-link.svg?raw';
import image from 'lucide-static/icons/image.svg?raw';
import lock from 'lucide-static/icons/lock.svg?raw';
import maximize from 'lucide-static/icons/maximize.svg?raw';
import moon from 'lucide-static/icons/moon.svg?raw';
import pause from 'lucide-static/icons/pause.svg?raw';
import presentation from 'lucide-static/icons/presentation.svg?raw';
import play from 'lucide-static/icons/play.svg?raw';
import replay from 'lucide-static/icons/rotate-ccw.svg?raw';
import search from 'lucide-static/icons/search.svg?raw';
import stepForward from 'lucide-static/icons/step-forward.svg?raw';
import sun from 'lucide-static/icons/sun.svg?raw';
import trash from 'lucide-static/icons/trash-2.svg?raw';
import alert from 'lucide-static/icons/triangle-alert.svg?raw';
import undo from 'lucide-static/icons/undo-2.svg?raw';
import x from 'lucide-static/icons/x.svg?raw';
import zoomIn from 'lucide-static/icons/zoom-in.svg?raw';
import zoomOut from 'lucide-static/icons/zoom-out.svg?raw';

const ICONS = {
  arrowLeft, brush, check, chevronDown, circleHelp, copy, cpu, crosshair, dices, download, eraser, externalLink, image, lock, maximize, moon, pause, play, presentation, replay,
  search, stepForward, sun, trash, alert, undo, x, zoomIn, zoomOut,
};
export type IconName = keyof typeof ICONS;

const cleaned = new Map<IconName, ReturnType<typeof unsafeHTML>>();

/** An icon beside a text or in a labelled button: hidden from assistive technology. */
export function icon(name: IconName) {
  let out = cleaned.get(name);
  if (!out) {
    const svg = ICONS[name]
      .replace(/<!--[\s\S]*?-->/, '')
      .replace(/class="[^"]*"/, 'class="icon" aria-hidden="true"')
      .replace(/width="24"\s+height="24"/, 'width="16" height="16"');
    out = unsafeHTML(svg);
    cleaned.set(name, out);
  }
  return out;
}
