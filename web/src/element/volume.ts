/** A field in space, looked into from any side: rays gather colour where its values are. Loaded when first asked for. */
import { css, html, nothing, type CSSResultGroup, type TemplateResult } from 'lit';
import { customElement, state } from 'lit/decorators.js';
import {
  BackSide, BoxGeometry, Data3DTexture, DataTexture, EdgesGeometry, GLSL3, LineBasicMaterial, LineSegments, LinearFilter, Mesh, NearestFilter, RedFormat, ShaderMaterial,
  Vector3,
} from 'three';
import type { ColorMapName } from '../lib/catalog';
import { colorTable } from '../lib/colormaps';
import { axisText, numberText } from '../lib/format';
import type { Range, ViewPayload, VolumeHeader } from '../worker/protocol';
import { EddySolid } from './solid';

/** Points along a side: finer fields are thinned out. */
const FINEST = 96;
/** Milliseconds for a picture, above which fewer pixels are drawn, and below which more. */
const SLOW = 70;
const QUICK = 20;
/** Milliseconds without a change, after which the picture is drawn in all its pixels. */
const REST = 300;

const VERTEX = `
out vec3 place;
void main() {
  place = position;
  gl_Position = projectionMatrix * modelViewMatrix * vec4(position, 1.0);
}`;

/**
 * Emission and absorption along the ray (Max 1995, eq. 3, by the midpoint rule): each piece of length ds covers 1 - exp(-density·ds)
 * of what lies behind it. The density rises from 0 where the value is at the lower bound.
 */
const FRAGMENT = `
precision highp float;
precision highp sampler3D;
uniform sampler3D field;
uniform sampler2D colors;
uniform vec3 size;
uniform vec3 cells;
uniform vec3 eye;
uniform float from;
uniform float top;
uniform int solid;
in vec3 place;
out vec4 result;

float share(vec3 at) {
  float v = texture(field, at).r;
  return solid == 0 ? v : solid == 1 ? 1.0 - v : abs(2.0 * v - 1.0);
}

void main() {
  vec3 ray = normalize(place - eye);
  vec3 low = -0.5 * size;
  vec3 high = vec3(0.5 * size.xy, (top - 0.5) * size.z);
  vec3 one = (low - eye) / ray;
  vec3 two = (high - eye) / ray;
  vec3 enter = min(one, two);
  vec3 leave = max(one, two);
  float start = max(max(max(enter.x, enter.y), enter.z), 0.0);
  float end = min(min(leave.x, leave.y), leave.z);
  if (end <= start) discard;
  vec3 cell = size / cells;
  float ds = max(0.6 * min(cell.x, min(cell.y, cell.z)), (end - start) / 192.0);
  // Pieces of neighbouring rays begin at other depths, so that they make no rings.
  float t = start + ds * (0.25 + 0.5 * fract(sin(dot(gl_FragCoord.xy, vec2(12.9898, 78.233))) * 43758.5453));
  vec3 sum = vec3(0.0);
  float clear = 1.0;
  for (int i = 0; i < 400 && t < end && clear > 0.02; i++, t += ds) {
    vec3 at = (eye + t * ray) / size + 0.5;
    float amount = share(at);
    float dense = smoothstep(from, from + 0.3, amount);
    if (dense > 0.004) {
      vec3 h = 1.0 / cells;
      vec3 slope = vec3(
        share(at + vec3(h.x, 0, 0)) - share(at - vec3(h.x, 0, 0)),
        share(at + vec3(0, h.y, 0)) - share(at - vec3(0, h.y, 0)),
        share(at + vec3(0, 0, h.z)) - share(at - vec3(0, 0, h.z))) / cell;
      float steep = length(slope);
      float light = steep < 0.05 ? 1.0 : mix(1.0, 0.6 + 0.45 * abs(dot(slope / steep, normalize(vec3(0.35, 0.2, 1.0) - ray))), min(1.0, steep));
      float covers = 1.0 - exp(-16.0 * dense * ds);
      vec3 color = texture(colors, vec2((texture(field, at).r * 255.0 + 0.5) / 256.0, 0.5)).rgb;
      sum += clear * covers * light * color;
      clear *= 1.0 - covers;
    }
  }
  result = vec4(sum, 1.0 - clear);
}`;

type Solid = 'high' | 'low' | 'both';
const SOLIDS: [Solid, string][] = [['high', 'high values'], ['low', 'low values'], ['both', 'both ends']];

@customElement('eddy-volume')
export class EddyVolume extends EddySolid {
  static override styles: CSSResultGroup = [
    EddySolid.styles,
    css`
      :host { display: flex; flex-direction: column; }
      .space { position: relative; flex: 1; min-height: 0; overflow: hidden; }
      canvas { position: absolute; inset: 0; }
      .mark { position: absolute; left: 0; top: 0; font: 11.5px var(--font-ui); color: var(--stage-faint); font-variant-numeric: tabular-nums; pointer-events: none; white-space: nowrap; }
      .mark.name { font-size: 12.5px; color: var(--stage-ink); }
      .look { display: flex; flex-wrap: wrap; gap: 4px 18px; padding: 4px 14px 10px; align-items: center; font-size: 13px; color: var(--stage-faint); }
      label { display: inline-flex; align-items: center; gap: 8px; min-height: 28px; }
      select { font: inherit; color: var(--stage-ink); background: var(--stage); border: 1px solid #6b7585; border-radius: 4px; padding: 3px 6px; min-height: 28px; }
      input { width: 92px; min-height: 24px; accent-color: #8fb4ff; }
      output { color: var(--stage-ink); font-variant-numeric: tabular-nums; min-width: 4.5ch; }
      :is(select, input):focus-visible { outline: 2px solid var(--stage-ink); outline-offset: 2px; }
      :host([flat]) { background: none; pointer-events: none; }
      .refused { inset: auto 12px 12px; background: var(--stage); border-radius: 6px; padding: 8px 12px; }
    `,
  ];
  protected readonly noun = 'volume';
  protected readonly instead = 'The picture behind shows the largest value along z.';
  @state() private solid: Solid | undefined;
  @state() private from = 0.3;
  @state() private top = 1;
  @state() private header: VolumeHeader | undefined;
  @state() private colors: ColorMapName = 'viridis';
  private mesh: Mesh<BoxGeometry, ShaderMaterial> | undefined;
  private frame: LineSegments<EdgesGeometry, LineBasicMaterial> | undefined;
  private shape = '';
  private size = new Vector3(2, 2, 2);
  /** Pixels drawn for each of the screen's, along a side. */
  private detail = 1;
  private isFine = false;
  private rest = 0;
  private waits = false;
  private isStale = false;

  /** By default what stands out of the colour map: the upper end, or both of one with a middle. */
  private get shownSolid(): Solid {
    return this.solid ?? (this.colors === 'diverging' ? 'both' : 'high');
  }

  protected override discard(): void {
    clearTimeout(this.rest);
    for (const part of [this.mesh, this.frame]) {
      part?.removeFromParent();
      part?.geometry.dispose();
    }
    if (this.mesh) {
      this.field?.dispose();
      (this.mesh.material.uniforms.colors!.value as DataTexture).dispose();
      this.mesh.material.dispose();
      this.frame!.material.dispose();
    }
    this.mesh = undefined;
    this.frame = undefined;
    this.shape = '';
  }
  private get field(): Data3DTexture | undefined {
    return this.mesh?.material.uniforms.field!.value as Data3DTexture | undefined;
  }

  protected override show({ header, data }: ViewPayload, colors: ColorMapName): void {
    if (header.kind !== 'volume') return;
    const { nx, ny, nz } = header;
    const stride = Math.max(1, Math.ceil(Math.max(nx, ny, nz) / FINEST));
    const counts = [nx, ny, nz].map((n) => Math.ceil(n / stride)) as [number, number, number];
    const lengths = [header.x, header.y, header.z].map(([a, b]) => Math.abs(b - a)) as [number, number, number];
    if (lengths.some((l) => !(l > 0))) return;
    const shape = JSON.stringify([counts, lengths, colors]);
    if (shape !== this.shape) this.build(counts, lengths, colors);
    this.shape = shape;
    const bytes = this.field!.image.data as Uint8Array;
    const [low, high] = header.range;
    const scale = high > low ? 255 / (high - low) : 0;
    let to = 0;
    for (let k = 0; k < nz; k += stride) {
      for (let j = 0; j < ny; j += stride) {
        const row = (k * ny + j) * nx;
        for (let i = 0; i < nx; i += stride) {
          const value = (data[row + i]! - low) * scale + 0.5;
          bytes[to++] = value > 255 ? 255 : value > 0 ? value : 0;
        }
      }
    }
    this.field!.needsUpdate = true;
    this.header = header;
    this.colors = colors;
    this.draw();
    this.toggleAttribute('drawn', true);
  }

  private build(counts: [number, number, number], lengths: [number, number, number], colors: ColorMapName): void {
    this.discard();
    this.size.set(...lengths).multiplyScalar(1.4 / Math.max(...lengths));
    const field = new Data3DTexture(new Uint8Array(counts[0] * counts[1] * counts[2]), ...counts);
    field.format = RedFormat;
    field.minFilter = field.magFilter = LinearFilter;
    field.unpackAlignment = 1;
    const table = new DataTexture(new Uint8Array(Uint32Array.from(colorTable(colors)).buffer), 256, 1);
    table.minFilter = table.magFilter = NearestFilter;
    table.needsUpdate = true;
    const uniforms = {
      field: { value: field }, colors: { value: table }, size: { value: this.size }, cells: { value: new Vector3(...counts) }, eye: { value: new Vector3() },
      from: { value: 0 }, top: { value: 1 }, solid: { value: 0 },
    };
    const box = new BoxGeometry(...this.size.toArray());
    this.mesh = new Mesh(
      box,
      new ShaderMaterial({ glslVersion: GLSL3, vertexShader: VERTEX, fragmentShader: FRAGMENT, uniforms, side: BackSide, transparent: true, premultipliedAlpha: true, depthWrite: false }),
    );
    this.frame = new LineSegments(new EdgesGeometry(box), new LineBasicMaterial({ color: 0x5b6675 }));
    this.mesh.renderOrder = 1;
    this.scene.add(this.frame, this.mesh);
  }

  protected override pixelRatio(): number {
    return (this.isFine ? 1 : this.detail) * Math.min(1.5, window.devicePixelRatio || 1);
  }

  /**
   * One picture at a time: while the GPU draws one, the next waits. How long it took decides how fine the next is; one that
   * nothing follows for a moment is drawn again in all its pixels.
   */
  protected override draw(): void {
    clearTimeout(this.rest);
    this.isFine = false;
    // Says that what is seen is what it is now, in all its pixels.
    this.toggleAttribute('rests', false);
    this.paint();
  }
  private paint(): void {
    const { renderer, mesh } = this;
    if (!renderer || !mesh) return;
    if (this.waits) {
      this.isStale = true;
      return;
    }
    this.isStale = false;
    if (renderer.getPixelRatio() !== this.pixelRatio()) renderer.setPixelRatio(this.pixelRatio());
    const { uniforms } = mesh.material;
    uniforms.eye!.value.copy(this.camera.position);
    uniforms.from!.value = this.from;
    uniforms.top!.value = this.top;
    uniforms.solid!.value = SOLIDS.findIndex(([key]) => key === this.shownSolid);
    const began = performance.now();
    super.draw();
    this.placeMarks();
    const gl = renderer.getContext() as WebGL2RenderingContext;
    const fence = gl.fenceSync(gl.SYNC_GPU_COMMANDS_COMPLETE, 0);
    if (!fence) return;
    gl.flush();
    this.waits = true;
    const wasFine = this.isFine;
    const look = (): void => {
      if (!this.renderer || gl.isContextLost()) {
        this.waits = false;
        return;
      }
      const took = performance.now() - began;
      if (gl.clientWaitSync(fence, 0, 0) === gl.TIMEOUT_EXPIRED && took < 3000) {
        setTimeout(look, 8);
        return;
      }
      gl.deleteSync(fence);
      if (!wasFine) this.detail = took > SLOW ? Math.max(0.4, 0.75 * this.detail) : took < QUICK ? Math.min(1, 1.25 * this.detail) : this.detail;
      // Half of the time of a slow GPU is left to the rest of the page.
      setTimeout(() => next(wasFine), took > SLOW ? took : 0);
    };
    const next = (wasFine: boolean): void => {
      this.waits = false;
      if (this.isStale) this.paint();
      else if (wasFine) this.toggleAttribute('rests', true);
      else {
        this.rest = window.setTimeout(() => {
          this.isFine = true;
          this.paint();
        }, REST);
      }
    };
    setTimeout(look, 8);
  }

  /** Names and ends of the axes at the edges of the box: those of x and y near the eye, that of z at the side. */
  private placeMarks(): void {
    const marks = this.renderRoot.querySelectorAll<HTMLElement>('.mark');
    const [width, height] = [this.clientWidth, this.renderRoot.querySelector<HTMLElement>('.space')!.clientHeight];
    if (marks.length !== 9 || !width || !height) return;
    this.camera.updateMatrixWorld();
    const half = this.size.clone().multiplyScalar(0.5);
    const onScreen = (x: number, y: number, z: number): [number, number] => {
      const p = new Vector3(x * half.x, y * half.y, z * half.z).project(this.camera);
      return [(0.5 + 0.5 * p.x) * width, (0.5 - 0.5 * p.y) * height];
    };
    const { x, y, z } = this.camera.position;
    const [right, back, floor] = [x < 0 ? -1 : 1, y < 0 ? -1 : 1, z < 0 ? 1 : -1];
    const upright = [[-1, -1], [-1, 1], [1, -1], [1, 1]].reduce((a, b) => (onScreen(a[0]!, a[1]!, 0)[0] <= onScreen(b[0]!, b[1]!, 0)[0] ? a : b)) as [number, number];
    const centre = onScreen(0, 0, 0);
    const at: [number, number, number][] = [];
    for (const s of [0, -1, 1]) at.push([s, back, floor]);
    for (const s of [0, -1, 1]) at.push([right, s, floor]);
    for (const s of [0, -1, 1]) at.push([upright[0], upright[1], s]);
    at.forEach((corner, i) => {
      const [px, py] = onScreen(...corner);
      // Outwards from the middle of the edge, as far as the text needs to stand clear of it.
      const middle = onScreen(...at[i - (i % 3)]!);
      const far = Math.hypot(middle[0] - centre[0], middle[1] - centre[1]) || 1;
      const [dx, dy] = [(middle[0] - centre[0]) / far, (middle[1] - centre[1]) / far];
      const mark = marks[i]!;
      const [w, h] = [mark.offsetWidth, mark.offsetHeight];
      const out = (i % 3 === 0 ? 12 : 5) + 0.5 * (Math.abs(dx) * w + Math.abs(dy) * h);
      const left = Math.min(width - w - 4, Math.max(4, px + out * dx - w / 2));
      const top = Math.min(height - h - 2, Math.max(2, py + out * dy - h / 2));
      mark.style.transform = `translate(${left.toFixed(1)}px, ${top.toFixed(1)}px)`;
    });
  }

  protected override updated(changed: Map<string, unknown>): void {
    super.updated(changed);
    this.toggleAttribute('flat', !!this.refused);
    if (['solid', 'from', 'top', 'header', 'colors'].some((key) => changed.has(key))) this.draw();
  }

  protected override render(): TemplateResult {
    const view = this.model?.view;
    const { header } = this;
    if (this.refused) return super.render();
    const ends = (range: Range) => [range[0], range[1]].map((v) => html`<span class="mark">${numberText(v, 3)}</span>`);
    const height = header && header.z[0] + this.top * (header.z[1] - header.z[0]);
    const least = header && header.range[0] + this.from * (header.range[1] - header.range[0]);
    return html`<div class="space">${super.render()}
        ${header && view
          ? html`<span class="mark name">${axisText(view.x)}</span>${ends(header.x)}<span class="mark name">${axisText(view.y)}</span>${ends(header.y)}
              <span class="mark name">${axisText(view.z ?? view.y)}</span>${ends(header.z)}`
          : nothing}</div>
      <div class="look" role="group" aria-label="How the volume is shown">
        <label>Solid <select @change=${(e: Event) => (this.solid = (e.target as HTMLSelectElement).value as Solid)}>
          ${SOLIDS.map(([key, text]) => html`<option value=${key} ?selected=${key === this.shownSolid}>${text}</option>`)}</select></label>
        <label>beyond <input type="range" min="0" max="0.95" step="0.01" .value=${String(this.from)} aria-valuetext=${`${Math.round(100 * this.from)} % of the range`}
          @input=${(e: Event) => (this.from = Number((e.target as HTMLInputElement).value))} />
          <output>${this.shownSolid === 'high' && least !== undefined ? numberText(least, 3) : `${Math.round(100 * this.from)} %`}</output></label>
        <label>up to z <input type="range" min="0.02" max="1" step="0.01" .value=${String(this.top)} aria-valuetext=${height === undefined ? '' : numberText(height, 3)}
          @input=${(e: Event) => (this.top = Number((e.target as HTMLInputElement).value))} />
          <output>${height === undefined ? '' : numberText(height, 3)}</output></label>
      </div>`;
  }
}
