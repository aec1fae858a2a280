//! Coefficients of the additive Runge-Kutta methods. Checked against the order conditions, coupling included, by a test.

use super::imex::ArkTableau;

const ARK3_GAMMA: f64 = 1767732205903.0 / 4055673282236.0;
const ARK3_WEIGHTS: [f64; 4] = [
    1471266399579.0 / 7840856788654.0,
    -4482444167858.0 / 7529755066697.0,
    11266239266428.0 / 11593286722821.0,
    ARK3_GAMMA,
];

/// ARK3(2)4L\[2\]SA: order 3, four stages, three solves; implicit part L-stable and stiffly accurate. The default where a
/// moderate accuracy is wanted and L is stiff. Kennedy & Carpenter (2003), Appl. Numer. Math. 44, 139, appendix C.
pub const ARK3: ArkTableau = ArkTableau {
    name: "ark3",
    order: 3,
    nodes: &[0.0, 2.0 * ARK3_GAMMA, 0.6, 1.0],
    explicit: &[
        &[],
        &[1767732205903.0 / 2027836641118.0],
        &[5535828885825.0 / 10492691773637.0, 788022342437.0 / 10882634858940.0],
        &[6485989280629.0 / 16251701735622.0, -4246266847089.0 / 9704473918619.0, 10755448449292.0 / 10357097424841.0],
    ],
    implicit: &[
        &[],
        &[ARK3_GAMMA, ARK3_GAMMA],
        &[2746238789719.0 / 10658868560708.0, -640167445237.0 / 6845629431997.0, ARK3_GAMMA],
        &ARK3_WEIGHTS,
    ],
    explicit_weights: &ARK3_WEIGHTS,
    implicit_weights: &ARK3_WEIGHTS,
    embedded: &[
        2756255671327.0 / 12835298489170.0,
        -10771552573575.0 / 22201958757719.0,
        9247589265047.0 / 10645013368117.0,
        2193209047091.0 / 5459859503100.0,
    ],
    error_order: 2,
};

const ARK4_WEIGHTS: [f64; 6] = [82889.0 / 524892.0, 0.0, 15625.0 / 83664.0, 69875.0 / 102672.0, -2260.0 / 8211.0, 0.25];

/// ARK4(3)6L\[2\]SA: order 4, six stages, five solves; implicit part L-stable and stiffly accurate. Kennedy & Carpenter
/// (2003), Appl. Numer. Math. 44, 139, appendix C.
pub const ARK4: ArkTableau = ArkTableau {
    name: "ark4",
    order: 4,
    nodes: &[0.0, 0.5, 83.0 / 250.0, 31.0 / 50.0, 17.0 / 20.0, 1.0],
    explicit: &[
        &[],
        &[0.5],
        &[13861.0 / 62500.0, 6889.0 / 62500.0],
        &[-116923316275.0 / 2393684061468.0, -2731218467317.0 / 15368042101831.0, 9408046702089.0 / 11113171139209.0],
        &[
            -451086348788.0 / 2902428689909.0,
            -2682348792572.0 / 7519795681897.0,
            12662868775082.0 / 11960479115383.0,
            3355817975965.0 / 11060851509271.0,
        ],
        &[
            647845179188.0 / 3216320057751.0,
            73281519250.0 / 8382639484533.0,
            552539513391.0 / 3454668386233.0,
            3354512671639.0 / 8306763924573.0,
            4040.0 / 17871.0,
        ],
    ],
    implicit: &[
        &[],
        &[0.25, 0.25],
        &[8611.0 / 62500.0, -1743.0 / 31250.0, 0.25],
        &[5012029.0 / 34652500.0, -654441.0 / 2922500.0, 174375.0 / 388108.0, 0.25],
        &[
            15267082809.0 / 155376265600.0,
            -71443401.0 / 120774400.0,
            730878875.0 / 902184768.0,
            2285395.0 / 8070912.0,
            0.25,
        ],
        &ARK4_WEIGHTS,
    ],
    explicit_weights: &ARK4_WEIGHTS,
    implicit_weights: &ARK4_WEIGHTS,
    embedded: &[
        4586570599.0 / 29645900160.0,
        0.0,
        178811875.0 / 945068544.0,
        814220225.0 / 1159782912.0,
        -3700637.0 / 11593932.0,
        61727.0 / 225920.0,
    ],
    error_order: 3,
};

/// 1 - 1/√2.
const ARS_GAMMA: f64 = 1.0 - std::f64::consts::FRAC_1_SQRT_2;
/// 1 - 1/(2γ).
const ARS_DELTA: f64 = 1.0 - 0.5 / ARS_GAMMA;

/// ARS(2,2,2): order 2, two solves, L-stable. Ascher, Ruuth & Spiteri (1997), Appl. Numer. Math. 25, 151, section 2.6.
pub const ARS222: ArkTableau = ArkTableau {
    name: "ars222",
    order: 2,
    nodes: &[0.0, ARS_GAMMA, 1.0],
    explicit: &[&[], &[ARS_GAMMA], &[ARS_DELTA, 1.0 - ARS_DELTA]],
    implicit: &[&[], &[0.0, ARS_GAMMA], &[0.0, 1.0 - ARS_GAMMA, ARS_GAMMA]],
    explicit_weights: &[ARS_DELTA, 1.0 - ARS_DELTA, 0.0],
    implicit_weights: &[0.0, 1.0 - ARS_GAMMA, ARS_GAMMA],
    embedded: &[],
    error_order: 0,
};

/// ARS(4,4,3): order 3, four solves, L-stable; both parts end in their last stage, which keeps constraints. Ascher, Ruuth &
/// Spiteri (1997), Appl. Numer. Math. 25, 151, section 2.8.
pub const ARS443: ArkTableau = ArkTableau {
    name: "ars443",
    order: 3,
    nodes: &[0.0, 0.5, 2.0 / 3.0, 0.5, 1.0],
    explicit: &[&[], &[0.5], &[11.0 / 18.0, 1.0 / 18.0], &[5.0 / 6.0, -5.0 / 6.0, 0.5], &[0.25, 1.75, 0.75, -1.75]],
    implicit: &[&[], &[0.0, 0.5], &[0.0, 1.0 / 6.0, 0.5], &[0.0, -0.5, 0.5, 0.5], &[0.0, 1.5, -1.5, 0.5, 0.5]],
    explicit_weights: &[0.25, 1.75, 0.75, -1.75, 0.0],
    implicit_weights: &[0.0, 1.5, -1.5, 0.5, 0.5],
    embedded: &[],
    error_order: 0,
};

/// Additive methods, by name.
pub const ARK_TABLEAUX: &[&ArkTableau] = &[&ARK3, &ARK4, &ARS222, &ARS443];
