//@ feature: equations
//! Any equation you can type, solved by a network that never sees the solution:
//!
//! $$\mathcal L(\theta) = \overline{r_\theta^2} + \lambda\,\overline{b_\theta^2} + \lambda_g\,\overline{g_\theta^2}, \qquad r_\theta = \partial_t u_\theta - F(u_\theta, \partial_x u_\theta, \dots)$$
//!
//! The residual $r$ and its derivatives are made from your equations; $b$ is what the conditions at the sides leave,
//! $g$ what those on integrals over the domain do. The
//! initial values are built in, $u_\theta = u_0 + \tau N_\theta$ with $\tau = t/T$ ($\tau^2$ for equations of second order in time), and
//! so are periods: the network $N$ sees a periodic coordinate only through sines and cosines. Values and slopes at the sides are
//! built in where they are constant: $N$ is multiplied by a distance from them, $4(x-a)(b-x)/(b-a)^2$ between two sides. Make them
//! *terms of the loss* to see what penalties do. Fields that are large or small have $N$ times an amplitude, read off the initial
//! values, the sides and the equations, so that kelvins and millimetres train alike. The same equations go to the solver of this lab, and its solution is drawn beside
//! the network's, with the distance from what it finds with half the effort as a measure of its own error.
//!
//! Coefficients can be learnt: name one under *Coefficients to be found* with a first guess. The network then gets noisy
//! values of the solution at a few points and finds it together with the solution. What varies from place to place can be
//! found too: with a line such as `D = 1 + 0.5*sin(x)` in the equations and `D = 1` to be found, a second network, of the
//! place alone, stands for $D$. Show it by its name under *Field shown*.
//!
//! *Gauss-Newton* solves for all weights together in each step: a hundred steps of it do more than thousands of Adam, and most
//! presets take some seconds. It wants more points than the network has weights. Switch to Adam to see what is customary, and to
//! SOAP (Vyas et al. 2024) to see what the eigenvectors of the gradients' products add at no more time. A *curriculum* begins with an
//! easier coefficient, $\nu = 0.5$ in place of $0.01$, and moves on to the right one.
//!
//! Steps along the gradient can be taken in single precision: choose *CPU · f32*. On *WebGPU* the equation as typed becomes a function
//! of the shader; one real field in time and along one axis is trained there, by Adam.
//!
//! What to look for: long times are hard. Presets end earlier here than in the solver's lab; give a later *end*, and the network
//! may settle on a solution that begins wrongly, with hardly any residual. *Windows* in time cure that, each beginning where the
//! one before ended. With Adam, try causal weights where the later times stay wrong.
//!
//! The *residual* shows what the equation leaves everywhere, the points of the last step where it was asked for. The *spectrum of the error* shows which waves are learnt:
//! slow ones first. Why, the *tangent kernel* says: what lies along an eigenvector is learnt at a speed proportional to its
//! eigenvalue, and they fall over many decades. Where the *gradients by term* are far apart one term of the loss is not heard.
//!
//! The *network* may be another than the plain one: with layers that add to what they get, with gates between two encoders
//! (Wang, Teng, Perdikaris 2021), of sines (Sitzmann et al. 2020), or on random Fourier features (Tancik et al. 2020). The last
//! two learn fast waves from the start, the higher their frequency; too high, and what lies between the points is noise.
//! Gaussians have centres and widths that are learnt (Kang et al. 2025). Parts of the domain may have networks of their own: blended
//! by windows (Moseley, Markham, Nissen-Meyer 2023), or side by side, with value and slopes joined by terms of the loss (Jagtap and
//! Karniadakis 2020).
//!
//! *Neurons* shows what the units of a hidden layer answer along $x$, those that count most on top: the solution is a weighted
//! sum of the last layer's rows, and a front can stand only where some unit turns.
//!
//! *Eigenvalues* are numbers to be found of equations that zero solves: the presets of wells, drums and beams. A *condition on an
//! integral*, $\int\psi^2 = 1$, keeps the network from zero; for the first steps, a tenth of them or twenty, the number stays at its guess, so
//! that the state becomes the one that belongs to it, and then both move. Give another guess, and the network finds the state next
//! to that. The reference is a spectral collocation whose own error stands in the legend. Conditions on integrals hold at all times
//! where there is one, and can tell a coefficient with no measurement at all.
//!
//! Steady lines need not be linear (*Bratu*, the *condensate*). Derivatives go to order four; there is no noise, and no integral
//! within an equation.

use eddy_nets::Rule;
use eddy_solve::Statement;
use eddy_spec::{Axis, Citation, Claim, ColorMap, Cost, EddyError, Metric, ViewSpec, choice, params};

use crate::labs::{
    pinn::{self, Descent, Fall, Gradient, MOST_NEWTON, Method, Objective, start_descent},
    typed::{
        Conditioned, Texts,
        network::{Architecture, Balance, Data, Kind, Training, TypedNetwork, guesses, network_end, start_on_gpu},
    },
};
use crate::{Baseline, Context, Device, DeviceKind, Experiment, Lab, Precision, Run};

choice! { pub enum Optimizer {
    /// Adam
    Adam = "adam",
    /// AdamW, with weight decay
    AdamW = "adamw",
    /// Muon
    Muon = "muon",
    /// SOAP
    Soap = "soap",
    /// L-BFGS on fixed points
    Lbfgs = "lbfgs",
    /// Adam, then L-BFGS
    AdamLbfgs = "adam-lbfgs",
    /// Gauss-Newton
    GaussNewton = "gauss-newton",
} }

choice! { pub enum Sampling {
    /// uniform
    Uniform = "uniform",
    /// where the residual is large
    Residual = "residual",
} }

choice! { pub enum Weights {
    /// as given
    Fixed = "fixed",
    /// each term pulls as hard
    Norms = "gradient-norms",
    /// each term is learnt as fast
    Kernel = "tangent-kernel",
} }

choice! { pub enum Network {
    /// plain, tanh
    Plain = "plain",
    /// residual
    Residual = "residual",
    /// modified, two encoders
    Modified = "modified",
    /// sines
    Sines = "sines",
    /// Fourier features
    Waves = "fourier-features",
    /// Gaussians
    Gaussians = "gaussians",
    /// one for each part, overlapping
    Parts = "parts",
    /// one for each part, joined by conditions
    Domains = "domains",
} }

choice! { pub enum Schedule {
    /// half a cosine
    Cosine = "cosine",
    /// exponential
    Exponential = "exponential",
    /// constant
    Constant = "constant",
} }

choice! { pub enum Sides {
    /// terms of the loss
    Terms = "terms",
    /// built in where they can be
    BuiltIn = "built-in",
} }

choice! { pub enum Begins {
    /// known, built in
    Known = "known",
    /// unknown
    Unknown = "unknown",
} }

choice! { pub enum Preset {
    /// Burgers, a shock layer
    Burgers = "burgers",
    /// Burgers, waves that steepen
    Steepening = "burgers-steepening",
    /// heat
    Heat = "heat",
    /// bistable front
    Bistable = "bistable",
    /// Fisher's front
    Fisher = "fisher-kpp",
    /// damped wave
    Wave = "wave-damped",
    /// Klein-Gordon
    KleinGordon = "klein-gordon",
    /// soliton of Korteweg and de Vries
    Kdv = "kdv",
    /// swinging beam
    Beam = "beam",
    /// soliton of nonlinear Schrödinger
    Nls = "nls-soliton",
    /// quantum particle in a harmonic well
    Well = "schroedinger-harmonic",
    /// Black-Scholes
    BlackScholes = "black-scholes",
    /// harmonic oscillator
    Oscillator = "oscillator",
    /// Van der Pol
    VanDerPol = "van-der-pol",
    /// Poisson
    Poisson = "poisson",
    /// bound state of a harmonic well
    HarmonicWell = "harmonic-well",
    /// condensate in a harmonic well
    Condensate = "condensate",
    /// tone of a square drum
    Drum = "drum",
    /// tone of a clamped beam
    BeamModes = "beam-modes",
    /// Poisson in a closed box
    ClosedBox = "closed-box",
    /// Bratu
    Bratu = "bratu",
} }

params! { pub struct Params {
    /// Preset. It stands in for what is left empty below, as long as there are no equations of your own.
    preset: Preset = Preset::Burgers => choice().group("problem"),
    /// Equations.
    equations: String = String::new() => expression(4000).group("problem"),
    /// Domain along x. From, to and points of the solver: 0 .. 2*pi, 128. None for ordinary differential equations.
    x: String = String::new() => expression(80).group("problem"),
    /// Domain along y.
    y: String = String::new() => expression(80).group("problem"),
    /// Domain along z.
    z: String = String::new() => expression(80).group("problem"),
    /// Conditions at the sides. Lines such as u = dirichlet: 0; periodic where empty.
    boundary: String = String::new() => expression(800).group("problem"),
    /// Initial values. Lines such as u = sin(x); what is not named begins at zero.
    initial: String = String::new() => expression(2000).group("problem"),
    /// Parameters. Values that replace those in the equations: nu = 0.1.
    parameters: String = String::new() => expression(800).group("problem"),
    /// Conditions on integrals. Over the domain and at all times, in lines such as integral(psi^2) = 1 or mean(u) = 0.
    integrals: String = String::new() => expression(800).group("problem"),
    /// End. The network learns all times until then.
    end: String = String::new() => expression(60).symbol("T").group("problem"),
    /// Coefficients to be found. Lines of a parameter, or of a line that gives a coefficient at each place, and a first guess:
    /// nu = 0.5. The reference has the true ones. An eigenvalue is the one nearest to its guess.
    sought: String = String::new() => expression(400).group("data"),
    /// Measured points. They are used where coefficients are to be found, but for eigenvalues.
    measured: u32 = 200 => steps(0, 5_000).group("data"),
    /// Measured fields. Their names; all where empty.
    seen: String = String::new() => expression(200).group("data"),
    /// Initial values. Unknown ones are found from the measurements too.
    begins: Begins = Begins::Known => choice().group("data"),
    /// Noise of the measurements. Its standard deviation relative to that of the field.
    noise: f64 = 0.01 => range(0.0, 1.0).symbol("\\sigma").group("data"),
    /// Weight of the measurements.
    data_weight: f64 = 10.0 => log(1e-3, 1e4).symbol("\\lambda_d").group("data"),
    /// Fall of that weight. It is divided by this in the course of the training, where weights are as given: values first, the
    /// equations later.
    data_fall: f64 = 1.0 => log(1.0, 1e4).group("data")
        .only_when("optimizer", &["adam", "adamw", "muon", "soap", "adam-lbfgs", "gauss-newton"]),
    /// Network.
    network: Network = Network::Plain => choice().group("network"),
    /// Frequency of its first layer. Of sines: the bound of the weights times the inputs. Of Fourier features: the standard
    /// deviation of their wave numbers, where coordinates run from -1 to 1.
    frequency: f64 = 3.0 => log(0.1, 100.0).symbol("\\omega").group("network").only_when("network", &["sines", "fourier-features"]),
    /// Width of Gaussians at the start. Where coordinates run from -1 to 1.
    spread: f64 = 0.5 => log(0.05, 5.0).symbol("w").group("network").only_when("network", &["gaussians"]),
    /// Parts of the domain. Along the first axis, each with a network of its own.
    parts: u32 = 3 => steps(2, 8).group("network").only_when("network", &["parts", "domains"]),
    /// Weight of the conditions where parts meet.
    joint_weight: f64 = 10.0 => log(1e-3, 1e4).symbol("\\lambda_j").group("network").only_when("network", &["domains"]),
    /// Units of a hidden layer.
    width: u32 = 20 => steps(2, 96).group("network"),
    /// Hidden layers.
    layers: u32 = 3 => steps(1, 8).group("network"),
    /// Waves of a periodic coordinate (0: automatic). The network sees no others; by itself as many as the initial values have,
    /// 3 at least.
    harmonics: u32 = 0 => steps(0, 16).group("network"),
    /// Points per step.
    points: u32 = 1_024 => steps(32, 8_192).group("training"),
    /// Places of the points. Where the residual is large: half of them, redrawn every fifty steps.
    sampling: Sampling = Sampling::Uniform => choice().group("training"),
    /// Points per side and condition.
    side_points: u32 = 32 => steps(4, 512).group("training"),
    /// Conditions at the sides. Values, and slopes where the value is given too, can be built in as long as they are constant and the
    /// initial values have them; the rest stays a term of the loss.
    sides: Sides = Sides::BuiltIn => choice().group("training"),
    /// Weight of the conditions at the sides.
    side_weight: f64 = 10.0 => log(1e-3, 1e4).symbol("\\lambda").group("training"),
    /// Weight of the conditions on integrals.
    integral_weight: f64 = 10.0 => log(1e-3, 1e4).symbol("\\lambda_g").group("training"),
    /// Weights of sides and measurements. As given, or moved every hundred steps of Adam, from there on: by the norms of the
    /// gradients, or by the tangent kernels.
    weights: Weights = Weights::Fixed => choice().group("training").only_when("optimizer", &["adam", "adamw", "muon", "soap", "adam-lbfgs"]),
    /// Strictness of causal weights. Earlier times first; 0 weighs all alike, and L-BFGS always does.
    causality: f64 = 0.0 => range(0.0, 1000.0).symbol("\\varepsilon").group("training"),
    /// Windows in time, trained one after the other. Each has its share of the steps and begins where the network of the one
    /// before ended.
    windows: u32 = 1 => steps(1, 40).group("training"),
    /// Curriculum. Lines of a coefficient and where it begins, such as nu = 0.5: it goes to its value in the first half of the
    /// training, of each window.
    curriculum: String = String::new() => expression(400).group("training")
        .only_when("optimizer", &["adam", "adamw", "muon", "soap", "adam-lbfgs", "gauss-newton"]),
    /// Optimizer.
    optimizer: Optimizer = Optimizer::GaussNewton => choice().group("training"),
    /// Training steps (0: automatic). By themselves 200 of Gauss-Newton, 5,000 of the others.
    steps: u32 = 0 => steps(0, 100_000).group("training"),
    /// Steps of Adam before L-BFGS. Of each window.
    first: u32 = 2_000 => steps(1, 100_000).group("training").only_when("optimizer", &["adam-lbfgs"]),
    /// Learning rate.
    rate: f64 = 5e-3 => log(1e-5, 1e-1).symbol("\\eta").group("training").only_when("optimizer", &["adam", "adamw", "muon", "soap", "adam-lbfgs"]),
    /// Fall of the learning rate. To a hundredth, or none.
    schedule: Schedule = Schedule::Cosine => choice().group("training").only_when("optimizer", &["adam", "adamw", "muon", "soap", "adam-lbfgs"]),
    /// Warm-up. Steps over which the learning rate rises at first.
    warm_up: u32 = 0 => steps(0, 10_000).group("training").only_when("optimizer", &["adam", "adamw", "muon", "soap", "adam-lbfgs"]),
    /// Weight decay. Each step shrinks the weights by this times the learning rate.
    decay: f64 = 1e-2 => log(1e-6, 1.0).group("training").only_when("optimizer", &["adamw"]),
    /// Field shown. Its name; the first one where empty.
    shown: String = String::new() => expression(40).group("view"),
    /// Hidden layer whose neurons are shown (0: the last). Of networks in parts the last one always.
    shown_layer: u32 = 0 => steps(0, 8).group("view"),
    /// Seed of the network and of its points.
    seed: u32 = 1 => seed(),
} }

impl Params {
    fn texts(&self) -> Result<Texts, EddyError> {
        Ok(Texts {
            preset: self.preset.key().to_owned(),
            equations: self.equations.clone(),
            x: self.x.clone(),
            y: self.y.clone(),
            z: self.z.clone(),
            boundary: self.boundary.clone(),
            initial: self.initial.clone(),
            parameters: self.parameters.clone(),
            end: match network_end(self.preset.key()) {
                Some(end) if self.end.trim().is_empty() && self.equations.trim().is_empty() => end.to_owned(),
                _ => self.end.clone(),
            },
            space: "auto".into(),
            time: "auto".into(),
            dealias: "auto".into(),
            seed: self.seed,
            integrals: self.integrals.clone(),
            sought: self.sought.clone(),
            is_nonlinear: true,
            ..Texts::default()
        })
    }

    /// The texts with the preset's in place of empty ones, what they state, and what they state of integrals.
    fn problem(&self) -> Result<(Texts, Statement, Option<Conditioned>), EddyError> {
        let mut texts = self.texts()?.filled().map_err(|e| e.refusal())?;
        texts.fields = guesses(&texts.sought)?.into_iter().map(|(name, _)| name).collect();
        let (_, statement) = texts.statement(false)?;
        let conditioned = texts.conditioned(false)?;
        Ok((texts, statement, conditioned))
    }

    fn gradient(&self, rule: Rule) -> Gradient {
        let fall = match self.schedule {
            Schedule::Cosine => Fall::Cosine,
            Schedule::Exponential => Fall::Exponential,
            Schedule::Constant => Fall::Constant,
        };
        Gradient { rule, rate: self.rate, fall, warm_up: u64::from(self.warm_up) }
    }

    fn steps(&self) -> u64 {
        match (self.steps, self.optimizer) {
            (0, Optimizer::GaussNewton) => 200,
            (0, _) => 5_000,
            (steps, _) => u64::from(steps),
        }
    }

    /// Steps over which the weight of the measurements falls: the last fifth is for what it has come to.
    fn fall_steps(&self) -> u64 {
        self.steps() * 4 / 5
    }

    fn training(&self, sought: &str) -> Result<Training, EddyError> {
        Ok(Training {
            architecture: Architecture {
                kind: match self.network {
                    Network::Plain => Kind::Plain,
                    Network::Residual => Kind::Residual,
                    Network::Modified => Kind::Modified,
                    Network::Sines => Kind::Sines { omega: self.frequency },
                    Network::Waves => Kind::Waves { sigma: self.frequency, seed: u64::from(self.seed) },
                    Network::Gaussians => Kind::Gaussians { width: self.spread },
                    Network::Parts => Kind::Parts { count: self.parts as usize },
                    Network::Domains => Kind::Domains { count: self.parts as usize },
                },
                width: self.width as usize,
                layers: self.layers as usize,
                harmonics: self.harmonics as usize,
            },
            points: self.points as usize,
            side_points: self.side_points as usize,
            side_weight: self.side_weight,
            balance: match self.weights {
                Weights::Fixed => Balance::Fixed,
                Weights::Norms => Balance::Norms,
                Weights::Kernel => Balance::Kernel,
            },
            integral_weight: self.integral_weight,
            joint_weight: self.joint_weight,
            builds_sides: self.sides == Sides::BuiltIn,
            curriculum: guesses(&self.curriculum).map_err(|e| e.at("curriculum"))?,
            curriculum_steps: self.steps().div_ceil(u64::from(self.windows.max(1))) / 2,
            hold: (self.steps() / 10).max(20).min(self.steps() / 2),
            causality: self.causality,
            windows: self.windows as usize,
            is_resampled: self.optimizer != Optimizer::Lbfgs,
            is_adaptive: self.sampling == Sampling::Residual,
            is_single: false,
            seed: self.seed,
            sought: guesses(sought)?,
            data: Data {
                points: self.measured as usize,
                noise: self.noise,
                weight: self.data_weight,
                fall: (self.data_fall, self.fall_steps()),
            },
            measured: self.seen.split([',', ';', ' ', '\n']).filter(|n| !n.is_empty()).map(str::to_owned).collect(),
            knows_start: self.begins == Begins::Known,
            shown: self.shown.clone(),
            shown_layer: self.shown_layer as usize,
        })
    }
}

pub struct TypedPinn;

const X: Axis = Axis::linear("position", "x");
const Y: Axis = Axis::linear("time or position", "t, y");
const U: Axis = Axis::linear("value", "u");

impl Experiment for TypedPinn {
    type Params = Params;
    const TITLE: &'static str = "Type an equation, train a network";
    const SUMMARY: &'static str =
        "A network learns the solution of your own equations, or their coefficients, beside the solver's.";
    const LAB: Lab = Lab::Pinn;
    const PAPERS: &'static [Citation] = &[];
    const AXIS: Axis = pinn::AXIS;
    const METRICS: &'static [Metric] = TypedNetwork::METRICS;
    const VIEWS: &'static [ViewSpec] = &[
        ViewSpec::lines("profile", "network and solver", Axis::linear("position or time", "x, t"), U),
        ViewSpec::field("solution", "network", X, Y, U, ColorMap::Viridis),
        ViewSpec::field("reference", "solver", X, Y, U, ColorMap::Viridis),
        ViewSpec::field("difference", "error", X, Y, Axis::linear("difference", "u - u_{ref}"), ColorMap::Diverging),
        ViewSpec::field("left", "residual", X, Y, Axis::linear("what the equation leaves", "r"), ColorMap::Diverging),
        ViewSpec::points(
            "points",
            "points",
            X,
            Y,
            Axis::linear("squared residual", "\\log_{10} r^2"),
            ColorMap::Viridis,
        ),
        pinn::RESIDUAL_VIEW,
        pinn::WEIGHTS_VIEW,
        ViewSpec::lines(
            "spectrum",
            "spectrum of the error",
            Axis::linear("wave", "k"),
            Axis::log("amplitude", "|\\hat u_k|"),
        ),
        pinn::insight::KERNEL_VIEW,
        pinn::insight::GRADIENTS_VIEW,
        pinn::insight::neurons_spec(X),
        ViewSpec::lines("coefficients", "coefficients", pinn::AXIS, Axis::linear("coefficient", "p")),
    ];
    const BASELINE: Option<Baseline> = Some(Baseline { label: "one hidden layer", change: "layers=1" });
    const CLAIM: Option<Claim> = None;
    const DEVICES: &'static [DeviceKind] = &[DeviceKind::Cpu, DeviceKind::Gpu];
    const COST: Cost = Cost::Slow;

    fn start(p: &Params, context: &Context) -> Result<Box<dyn Run>, EddyError> {
        let (texts, statement, conditioned) = p.problem()?;
        let by = |rule: Rule| p.gradient(rule);
        let method = match p.optimizer {
            Optimizer::Adam => Method::FirstOrder(by(Rule::Adam)),
            Optimizer::AdamW => Method::FirstOrder(by(Rule::AdamW { decay: p.decay })),
            Optimizer::Muon => Method::FirstOrder(by(Rule::Muon)),
            Optimizer::Soap => Method::FirstOrder(by(Rule::Soap)),
            Optimizer::Lbfgs => Method::Lbfgs,
            Optimizer::AdamLbfgs => Method::ThenLbfgs { gradient: by(Rule::Adam), first: u64::from(p.first) },
            Optimizer::GaussNewton => Method::GaussNewton,
        };
        // A step of Gauss-Newton is worth many of the others, and takes as long.
        let record_every = if method == Method::GaussNewton { 5 } else { 20 };
        let descent = Descent { method, steps: p.steps(), seed: p.seed, record_every };
        if p.steps() < u64::from(p.windows) {
            let message =
                format!("Each window takes a step at least: {} steps are too few for {}.", p.steps(), p.windows);
            return Err(EddyError::start(message).at("windows").repaired_by("windows", p.steps().to_string()));
        }
        let training = p.training(&texts.sought)?;
        // Line searches and normal equations need all digits.
        let is_single = context.precision == Precision::F32 && matches!(method, Method::FirstOrder(_));
        let network = TypedNetwork::new(statement, conditioned, Training { is_single, ..training })?;
        let weights = network.graph().parameters();
        if method == Method::GaussNewton && weights > MOST_NEWTON {
            let message = format!(
                "Gauss-Newton solves for all weights together in each step: {weights} are too many, it takes {MOST_NEWTON} at \
                 most. Take narrower or fewer layers, or another optimizer."
            );
            return Err(EddyError::start(message).at("width").repaired_by("optimizer", Optimizer::Soap.key()));
        }
        match &context.device {
            Device::Gpu(gpu) => start_on_gpu(network, descent, gpu),
            Device::Cpu => start_descent(network, descent, context),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Budget;

    #[test]
    fn every_preset_starts_and_learns() {
        for preset in Preset::ALL {
            let small = Params { width: 6, layers: 1, points: 32, side_points: 4, steps: 20, ..Params::default() };
            let p = Params { preset: *preset, ..small };
            let mut run = TypedPinn::start(&p, &Context::cpu()).unwrap_or_else(|e| panic!("{}: {e:?}", preset.key()));
            assert_eq!(run.remarks(), [], "{}", preset.key());
            pollster::block_on(run.advance(Budget::steps(20))).unwrap();
            let record = run.record();
            assert!(record.latest("error").is_finite() && record.latest("loss").is_finite(), "{}", preset.key());
            for view in TypedPinn::VIEWS {
                let data = pollster::block_on(run.view(view.key)).unwrap();
                assert!(data.is_finite(), "{}: {}", preset.key(), view.key);
                assert!(data != eddy_spec::ViewData::Empty, "{}: {}", preset.key(), view.key);
            }
        }
    }

    #[test]
    fn single_precision_is_for_what_steps_along_the_gradient() {
        let small = Params { width: 6, layers: 1, points: 32, steps: 20, ..Params::default() };
        let single = Context { precision: Precision::F32, ..Context::cpu() };
        for optimizer in Optimizer::ALL {
            let run = TypedPinn::start(&Params { optimizer: *optimizer, ..small.clone() }, &single).unwrap();
            let is_single = run.precision() == Some(Precision::F32);
            let needs_digits = matches!(optimizer, Optimizer::Lbfgs | Optimizer::AdamLbfgs | Optimizer::GaussNewton);
            assert_eq!(is_single, !needs_digits, "{}", optimizer.key());
        }
    }

    /// Sizes are bounded by the form so that every network fits into a page's memory: the largest one takes a step.
    #[test]
    fn the_largest_network_of_the_form_fits() {
        let p = Params {
            preset: Preset::ClosedBox,
            network: Network::Parts,
            parts: 8,
            width: 96,
            layers: 8,
            points: 32,
            optimizer: Optimizer::Soap,
            ..Params::default()
        };
        let mut run = TypedPinn::start(&p, &Context::cpu()).unwrap();
        let weights: usize = run.weights().iter().map(|w| w.shape.iter().product::<usize>()).sum();
        assert!(weights > 500_000, "{weights}");
        pollster::block_on(run.advance(Budget::steps(1))).unwrap();
        assert!(run.outcome().is_running() && run.record().latest("loss").is_finite());
    }

    #[test]
    fn a_slip_of_the_pen_is_mended_where_it_stands() {
        let typed = |equations: &str, integrals: &str| {
            let [equations, integrals] = [equations, integrals].map(str::to_owned);
            let end = if integrals.is_empty() { "" } else { "1" }.to_owned();
            let p = Params { equations, integrals, end, x: "0 .. 1, 32".into(), ..Params::default() };
            TypedPinn::start(&p, &Context::cpu()).err().unwrap().repair
        };
        let mended = |key: &str, text: &str| Some((key.to_owned(), text.to_owned()));
        // Characters are counted as a browser does: the remark has one of two units.
        let repair = typed("# 𝜈 is small\nu_t = dxx(u) + sinn(u)", "");
        assert_eq!(repair, mended("equations", "# 𝜈 is small\nu_t = dxx(u) + sin(u)"));
        assert_eq!(typed("u_t = dxx(u)", "integral(sinn(u)) = 1"), mended("integrals", "integral(sin(u)) = 1"));
        assert_eq!(typed("u_t = dxx(u)", ""), mended("end", "1"));
        assert_eq!(typed("u_t = dxx(u) +", ""), None);
    }

    #[test]
    fn gauss_newton_says_what_is_too_large_for_it() {
        let p = Params { optimizer: Optimizer::GaussNewton, width: 64, ..Params::default() };
        let refused = TypedPinn::start(&p, &Context::cpu()).err().unwrap();
        assert_eq!(refused.key.as_deref(), Some("width"));
        assert!(refused.message.contains("3000 at most"), "{refused}");
        assert!(TypedPinn::start(&Params { width: 24, ..p }, &Context::cpu()).is_ok());
    }
}
