/** `<div ${cssom({ height: '3px' })}>`: styles set as properties, which a strict content security policy allows. */
import { noChange } from 'lit';
import { Directive, directive, PartType, type ElementPart, type PartInfo } from 'lit/directive.js';

class CssomDirective extends Directive {
  constructor(info: PartInfo) {
    super(info);
    if (info.type !== PartType.ELEMENT) throw new Error('cssom() stands in an element’s tag');
  }
  override render(_styles: Record<string, string>): typeof noChange {
    return noChange;
  }
  override update(part: ElementPart, [styles]: [Record<string, string>]): typeof noChange {
    const { style } = part.element as HTMLElement;
    for (const [name, value] of Object.entries(styles)) {
      if (style.getPropertyValue(name) !== value) style.setProperty(name, value);
    }
    return noChange;
  }
}
export const cssom = directive(CssomDirective);
