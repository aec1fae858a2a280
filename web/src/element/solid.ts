/** What is drawn in space and turned: reads the run as it goes, answers to mouse, touch and keys. Surfaces and volumes are its kinds. */
import { LitElement, css, html, nothing, type CSSResultGroup, type PropertyValues, type TemplateResult } from 'lit';
import { property, state } from 'lit/decorators.js';
import { PerspectiveCamera, SRGBColorSpace, Scene, Vector3, WebGLRenderer } from 'three';
import { OrbitControls } from 'three/examples/jsm/controls/OrbitControls.js';
import type { ColorMapName } from '../lib/catalog';
import type { RunModel } from '../lib/run-model';
import type { PaneIndex, ViewPayload } from '../worker/protocol';
import { Watch } from './watch';

/** Milliseconds between two reads of the run. */
const PAUSE = 66;
const NEAREST = 1.2;
const FURTHEST = 8;

export abstract class EddySolid extends LitElement {
  static override styles: CSSResultGroup = css`
    :host { position: absolute; inset: 0; display: block; background: var(--stage); }
    canvas { width: 100%; height: 100%; display: block; touch-action: none; }
    canvas:focus-visible { outline: 2px solid var(--accent); outline-offset: -2px; }
    .refused { position: absolute; inset: 0; display: grid; place-items: center; margin: 0; padding: 16px; text-align: center; color: var(--stage-ink); font-size: 14px; }
  `;
  @property({ attribute: false }) model?: RunModel;
  @property({ type: Number }) pane: PaneIndex = 0;
  @state() protected refused = '';
  protected renderer: WebGLRenderer | undefined;
  protected scene = new Scene();
  protected camera = new PerspectiveCamera(38, 1, 0.05, 20);
  private controls: OrbitControls | undefined;
  private reading = false;
  private again = false;
  private last = 0;
  private timer = 0;
  private sizes = new ResizeObserver(() => this.resize());

  /** What this is called in a sentence: “surface”. */
  protected abstract readonly noun: string;
  /** Takes what was read of the run. */
  protected abstract show(payload: ViewPayload, colors: ColorMapName): void;

  constructor() {
    super();
    new Watch(this, ['state', 'header', 'settings'], () => this.read());
    this.camera.up.set(0, 0, 1);
    this.camera.position.set(1.75, -2.75, 2.05);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    clearTimeout(this.timer);
    this.sizes.disconnect();
    this.controls?.dispose();
    this.discard();
    this.renderer?.dispose();
    this.renderer?.forceContextLoss();
    this.renderer = undefined;
  }
  /** Gives back what lies on the GPU. */
  protected abstract discard(): void;

  protected override firstUpdated(): void {
    const canvas = this.renderRoot.querySelector('canvas')!;
    const context = canvas.getContext('webgl2', { antialias: true, alpha: true });
    if (!context) {
      this.refused = `This browser has no WebGL, which the ${this.noun} is drawn with. ${this.instead}`;
      return;
    }
    this.renderer = new WebGLRenderer({ canvas, context });
    this.renderer.outputColorSpace = SRGBColorSpace;
    this.controls = new OrbitControls(this.camera, canvas);
    this.controls.enablePan = false;
    this.controls.minDistance = NEAREST;
    this.controls.maxDistance = FURTHEST;
    this.controls.maxPolarAngle = Math.PI;
    this.controls.addEventListener('change', () => this.draw());
    canvas.addEventListener('webglcontextlost', (e) => {
      e.preventDefault();
      if (this.isConnected) this.refused = `The browser took back the drawing context of the ${this.noun}. ${this.instead}`;
    });
    this.sizes.observe(canvas);
    this.resize();
    this.read();
  }
  /** What is still to be seen where this cannot be drawn. */
  protected abstract readonly instead: string;

  protected override updated(changed: PropertyValues): void {
    if (changed.has('pane') || changed.has('model')) this.read();
  }

  private resize(): void {
    if (!this.renderer) return;
    const { clientWidth: width, clientHeight: height } = this.renderer.domElement;
    if (!width || !height) return;
    this.renderer.setPixelRatio(this.pixelRatio());
    this.renderer.setSize(width, height, false);
    this.camera.aspect = width / height;
    // On a narrow pane the whole is seen from further off.
    this.camera.fov = 38 * Math.max(1, 1.35 / this.camera.aspect) ** 0.8;
    this.camera.updateProjectionMatrix();
    this.draw();
  }
  protected pixelRatio(): number {
    return Math.min(2, window.devicePixelRatio || 1);
  }

  /** Reads the values shown, at most every PAUSE ms, one read at a time. */
  protected read(): void {
    const { model } = this;
    if (!this.renderer || model?.status !== 'ready' || !model.view) return;
    if (this.reading) {
      this.again = true;
      return;
    }
    const wait = this.last + PAUSE - performance.now();
    clearTimeout(this.timer);
    if (wait > 0) {
      this.timer = window.setTimeout(() => this.read(), wait);
      return;
    }
    this.reading = true;
    const { key, colors } = model.view;
    model
      .readView(key, this.pane)
      .then((payload) => this.renderer && this.show(payload, colors))
      .catch(() => undefined)
      .finally(() => {
        this.reading = false;
        this.last = performance.now();
        if (this.again && this.isConnected) {
          this.again = false;
          this.read();
        }
      });
  }

  protected draw(): void {
    this.renderer?.render(this.scene, this.camera);
  }

  /** Arrow keys turn, plus and minus come closer and go off. */
  private onKey = (event: KeyboardEvent): void => {
    const turn: Record<string, [number, number, number]> = {
      ArrowLeft: [-0.12, 0, 1], ArrowRight: [0.12, 0, 1], ArrowUp: [0, -0.1, 1], ArrowDown: [0, 0.1, 1], '+': [0, 0, 0.9], '-': [0, 0, 1 / 0.9],
    };
    const by = turn[event.key];
    if (!by || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation();
    const { position } = this.camera;
    const radius = Math.min(FURTHEST, Math.max(NEAREST, position.length() * by[2]));
    const polar = Math.min(3.1, Math.max(0.04, Math.acos(position.z / position.length()) + by[1]));
    const around = Math.atan2(position.y, position.x) + by[0];
    position.copy(new Vector3(Math.sin(polar) * Math.cos(around), Math.sin(polar) * Math.sin(around), Math.cos(polar)).multiplyScalar(radius));
    this.controls?.update();
    this.draw();
  };

  protected override render(): TemplateResult {
    const label = `${this.model?.view?.label ?? 'field'} as a ${this.noun}; arrow keys turn it, plus and minus zoom`;
    return html`<canvas tabindex="0" role="img" aria-label=${label} ?hidden=${!!this.refused} @keydown=${this.onKey}></canvas>
      ${this.refused ? html`<p class="refused" role="status">${this.refused}</p>` : nothing}`;
  }
}
