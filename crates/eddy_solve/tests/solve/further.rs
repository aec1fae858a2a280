//! Further problems with known answers: coefficients that vary, walls in two dimensions, conditions that move, integrals,
//! complex fields, elliptic fields with walls.

#[test]
fn closed_forms() {
    let cases = [
        (
            "rotation",
            1e-4,
            r#"
equations = "u_t = y*dx(u) - x*dy(u)"
[domain]
x = { min = -4, max = 4, points = 64 }
y = { min = -4, max = 4, points = 64 }
[initial]
u = "exp(-4*((x - 1)^2 + y^2))"
[time]
end = 1
save_every = 1
[exact]
u = "exp(-4*((x - cos(t))^2 + (y - sin(t))^2))"
"#,
        ),
        (
            "drum with free sides",
            1e-4,
            r#"
equations = "u_tt = c^2*lap(u); c = 2"
[domain]
x = { max = 1, points = 33 }
y = { max = 2, points = 41 }
[boundary]
u = "neumann: 0"
[initial]
u = "cos(pi*x)*cos(pi*y)"
[time]
end = 1
save_every = 1
[exact]
u = "cos(pi*x)*cos(pi*y)*cos(2*pi*sqrt(2)*t)"
"#,
        ),
        (
            "plate of heat, sides that move",
            1e-5,
            r#"
equations = "u_t = lap(u)"
[domain]
x = { max = 1, points = 25 }
y = { max = 1, points = 25 }
[boundary]
u = { x_min = "dirichlet: exp(2*t + y)", x_max = "robin: u + u_n = 2*exp(2*t + 1 + y)", y_min = "neumann: -exp(2*t + x)", y_max = "dirichlet: exp(2*t + x + 1)" }
[initial]
u = "exp(x + y)"
[time]
end = 0.2
save_every = 0.2
[exact]
u = "exp(2*t + x + y)"
"#,
        ),
        (
            "stiff heat in two dimensions",
            2e-5,
            r#"
equations = "u_t = 5*lap(u)"
[domain]
x = { max = 1, points = 65 }
y = { max = 1, points = 65 }
[boundary]
u = "neumann: 0"
[initial]
u = "1 + cos(pi*x)*cos(2*pi*y)"
[time]
end = 0.02
save_every = 0.02
[exact]
u = "1 + exp(-25*pi^2*t)*cos(pi*x)*cos(2*pi*y)"
"#,
        ),
        (
            "harmonic well, coherent state",
            1e-5,
            r#"
equations = "psi_t = i*(0.5*dxx(psi) - 0.5*x^2*psi)"
[domain]
x = { min = -10, max = 10, points = 128 }
[initial]
psi = "pi^(-1/4)*exp(-(x - 1)^2/2)"
[time]
end = "2*pi"
save_every = "2*pi"
[exact]
psi = "pi^(-1/4)*exp(-(x - 1)^2/2)*exp(-i*pi)"
"#,
        ),
        (
            "well with walls, ground state",
            1e-5,
            r#"
equations = "psi_t = i*(0.5*dxx(psi) - 0.5*x^2*psi)"
[domain]
x = { min = -8, max = 8, points = 129 }
[boundary]
psi = "dirichlet: 0"
[initial]
psi = "exp(-x^2/2)"
[time]
end = 3
save_every = 3
[exact]
psi = "exp(-x^2/2)*exp(-i*t/2)"
"#,
        ),
        (
            "plane wave of the complex Ginzburg-Landau equation",
            1e-7,
            r#"
equations = "A_t = A + (1 + b*i)*dxx(A) - (1 + c*i)*abs(A)^2*A; b = 0.5; c = -0.8"
[domain]
x = { max = "8*pi", points = 64 }
[initial]
A = "sqrt(1 - 0.0625)*exp(i*x/4)"
[time]
end = 5
[exact]
A = "sqrt(1 - 0.0625)*exp(i*x/4 - i*(c*(1 - 0.0625) + b*0.0625)*t)"
"#,
        ),
        (
            "Rossby wave",
            1e-9,
            r#"
equations = """
w_t = -dx(psi)*dy(w)*0 - beta*dx(psi)
lap(psi) = w
beta = 3
"""
[domain]
x = { max = "2*pi", points = 32 }
y = { max = "2*pi", points = 32 }
[initial]
w = "cos(2*x + y)"
[time]
end = 2
[exact]
w = "cos(2*x + y + 3*2/5*t)"
"#,
        ),
        (
            "shallow water, standing wave",
            1e-8,
            r#"
equations = """
h_t = -H*(dx(u) + dy(v))
u_t = -g*dx(h)
v_t = -g*dy(h)
H = 2; g = 3
"""
[domain]
x = { max = "2*pi", points = 32 }
y = { max = "2*pi", points = 32 }
[initial]
h = "cos(x)*cos(2*y)"
[time]
end = 2
[exact]
h = "cos(x)*cos(2*y)*cos(sqrt(30)*t)"
"#,
        ),
        (
            "mean field",
            1e-7,
            r#"
equations = "u_t = lap(u) + mean(u) - u"
[domain]
x = { max = "2*pi", points = 32 }
[initial]
u = "2 + sin(x)"
[time]
end = 1
[exact]
u = "2 + exp(-2*t)*sin(x)"
"#,
        ),
        (
            "vortex between free-slip walls",
            1e-5,
            r#"
equations = """
w_t = nu*lap(w) - dy(psi)*dx(w) + dx(psi)*dy(w)
lap(psi) = -w
nu = 0.1
"""
[domain]
x = { max = "pi", points = 33 }
y = { max = "pi", points = 33 }
[boundary]
all = "dirichlet: 0"
[initial]
w = "2*sin(x)*sin(y)"
[time]
end = 1
save_every = 1
[exact]
w = "2*exp(-0.2*t)*sin(x)*sin(y)"
psi = "exp(-0.2*t)*sin(x)*sin(y)"
"#,
        ),
        (
            "channel: periodic along, walls across",
            1e-5,
            r#"
equations = "u_t = lap(u) - dx(u)"
[domain]
x = { max = "2*pi", points = 32 }
y = { max = "pi", points = 25 }
[boundary]
u = { x = "periodic", y = "dirichlet: 0" }
[initial]
u = "sin(x)*sin(y)"
[time]
end = 0.5
save_every = 0.5
[exact]
u = "exp(-2*t)*sin(x - t)*sin(y)"
"#,
        ),
        (
            "pure Neumann Poisson",
            1e-5,
            r#"
equations = """
u_t = 0*u
lap(p) = -5*cos(x)*cos(2*y)
"""
[domain]
x = { max = "pi", points = 41 }
y = { max = "pi", points = 41 }
[boundary]
all = "neumann: 0"
[time]
end = 0
[exact]
p = "cos(x)*cos(2*y)"
"#,
        ),
        (
            "a micrometre between large values",
            1e-8,
            r#"
equations = """
u_t = 0*u
p_xx = 2e24*sin(1e6*pi*x)
"""
[domain]
x = { max = 1e-6, points = 65 }
[boundary]
u = "neumann: 0"
p = { x_min = "dirichlet: 1e12", x_max = "dirichlet: 3e12" }
[time]
end = 0
[exact]
p = "1e12*(1 + 2e6*x - 2/pi^2*sin(1e6*pi*x))"
"#,
        ),
        (
            "two lines that need each other",
            1e-5,
            r#"
equations = """
u_t = 0*u
p_xx = 30*q - pi^2*sin(pi*x) - 30*sin(2*pi*x)
q_xx = 30*p - 4*pi^2*sin(2*pi*x) - 30*sin(pi*x)
"""
[domain]
x = { max = 1, points = 81 }
[boundary]
all = "dirichlet: 0"
[time]
end = 0
[exact]
p = "sin(pi*x)"
q = "sin(2*pi*x)"
"#,
        ),
        (
            "three lines in a plane, written before those that they read",
            5e-5,
            r#"
equations = """
u_t = 0*u
lap(r) = s - sin(x)*sin(2*y) - 5*sin(x)*sin(y)
lap(p) = 40*(2 + sin(x))*q - 2*sin(x)*sin(y) - 40*(2 + sin(x))*sin(2*x)*sin(y)
lap(q) = r - 20*p*cos(y) - 5*sin(2*x)*sin(y) + 20*sin(x)*sin(y)*cos(y) - 2.5*sin(x)*sin(y)
s = 0.2*lap(q) + sin(2*x)*sin(y) + sin(x)*sin(2*y)
"""
[domain]
x = { max = "pi", points = 61 }
y = { max = "pi", points = 61 }
[boundary]
all = "dirichlet: 0"
[time]
end = 0
[exact]
p = "sin(x)*sin(y)"
q = "sin(2*x)*sin(y)"
r = "2.5*sin(x)*sin(y)"
"#,
        ),
        (
            "chain around a ring, the last line first",
            1e-9,
            r#"
equations = """
u_t = 0*u
r_xx - r = (2 + sin(x))*q - 2*cos(x) - (2 + sin(x))*cos(2*x)
q_xx - q = sin(x)*p - 5*cos(2*x) - sin(x)^2
p_xx - p = -2*sin(x)
"""
[domain]
x = { max = "2*pi", points = 32 }
[time]
end = 0
[exact]
p = "sin(x)"
q = "cos(2*x)"
r = "cos(x)"
"#,
        ),
        (
            "screened, variable coefficient",
            1e-6,
            r#"
equations = """
u_t = 0*u
dx((2 + sin(x))*dx(p)) - p = cos(x)*cos(x) - (2 + sin(x))*sin(x) - sin(x)
"""
[domain]
x = { max = "pi", points = 81 }
[boundary]
u = "neumann: 0"
p = "dirichlet: 0"
[time]
end = 0
[exact]
p = "sin(x)"
"#,
        ),
        (
            "three dimensions",
            1e-10,
            r#"
equations = "u_t = lap(u)"
[domain]
x = { max = "2*pi", points = 16 }
y = { max = "2*pi", points = 16 }
z = { max = "2*pi", points = 16 }
[initial]
u = "sin(x)*cos(2*y)*sin(z)"
[time]
end = 0.2
[exact]
u = "exp(-6*t)*sin(x)*cos(2*y)*sin(z)"
"#,
        ),
        (
            "three dimensions, walls",
            1e-4,
            r#"
equations = "u_t = lap(u)"
[domain]
x = { max = "pi", points = 17 }
y = { max = "pi", points = 17 }
z = { max = "pi", points = 17 }
[boundary]
u = "dirichlet: 0"
[initial]
u = "sin(x)*sin(y)*sin(z)"
[time]
end = 0.2
save_every = 0.2
[exact]
u = "exp(-3*t)*sin(x)*sin(y)*sin(z)"
"#,
        ),
        (
            "oscillator",
            1e-7,
            r#"
equations = "x1_tt = -x1"
[initial]
x1 = 1
[time]
end = 20
[exact]
x1 = "cos(t)"
"#,
        ),
        (
            "damped, driven",
            1e-7,
            r#"
equations = "y_tt = -y - 0.2*y_t + cos(2*t)*0"
[initial]
y = 1
y_t = -0.1
[time]
end = 10
[exact]
y = "exp(-0.1*t)*cos(sqrt(0.99)*t)"
"#,
        ),
        (
            "Maxwell, standing wave in a box of mirrors",
            1e-4,
            r#"
equations = """
Ez_t = dx(Hy) - dy(Hx)
Hx_t = -dy(Ez)
Hy_t = dx(Ez)
"""
[domain]
x = { max = "2*pi", points = 32 }
y = { max = "2*pi", points = 32 }
[initial]
Ez = "sin(x)*sin(2*y)"
[time]
end = 3
[exact]
Ez = "sin(x)*sin(2*y)*cos(sqrt(5)*t)"
"#,
        ),
        (
            "plate that vibrates",
            1e-8,
            r#"
equations = "u_tt = -bilap(u)"
[domain]
x = { max = "2*pi", points = 24 }
y = { max = "2*pi", points = 24 }
[initial]
u = "cos(x)*cos(y)"
[time]
end = 2
[exact]
u = "cos(x)*cos(y)*cos(2*t)"
"#,
        ),
        (
            "advection in and out",
            2e-4,
            r#"
equations = "u_t = -c*dx(u); c = 1"
[domain]
x = { max = 5, points = 101 }
[boundary]
u = { x_min = "dirichlet: sin(-t)", x_max = "free" }
[initial]
u = "sin(x)"
[time]
end = 8
save_every = 8
[exact]
u = "sin(x - t)"
"#,
        ),
        (
            "porous medium, Barenblatt",
            2e-2,
            r#"
equations = "u_t = dxx(u^2)"
[domain]
x = { min = -6, max = 6, points = 241 }
[boundary]
u = "dirichlet: 0"
[initial]
u = "max(1 - x^2/12, 0)"
[time]
end = 3
save_every = 3
[exact]
u = "(1 + t)^(-1/3)*max(1 - x^2/(12*(1 + t)^(2/3)), 0)"
"#,
        ),
        (
            "Cahn-Hilliard with walls, kink",
            1e-3,
            r#"
equations = "u_t = dxx(u^3 - u - 0.04*dxx(u))"
[domain]
x = { min = -3, max = 3, points = 121 }
[boundary]
u = "neumann: 0; u_nnn = 0"
[initial]
u = "tanh(x/(0.2*sqrt(2)))"
[time]
end = 0.5
save_every = 0.5
[exact]
u = "tanh(x/(0.2*sqrt(2)))"
"#,
        ),
    ];
    crate::common::check(&cases);
}
