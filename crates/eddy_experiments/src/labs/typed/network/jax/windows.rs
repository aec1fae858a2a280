//! Window after window in a script: the time of each is moved into the first one, and what it begins with are the fields of
//! the one before, as they are and not as coefficients.

use super::{TypedNetwork, templates::CALLED};

impl TypedNetwork {
    /// A script of the first window made one of all.
    pub(super) fn with_windows(&self, script: String, steps: u64) -> String {
        let windows = self.march.windows;
        let each = steps.div_ceil(windows as u64);
        script
            .replace(
                CALLED,
                "done = []  # weights of the windows that are over\n\n\ndef fields(weights, window=None):\n    \"\"\"The candidate: \
                 periods hold exactly, and so does what the window begins with.\"\"\"\n    window = len(done) if window is None else \
                 window\n    before = fields(done[window - 1], window - 1) if window else None\n    at = start + window * length\n",
            )
            .replace(&format!("steps = {steps}\n"), &format!("steps = {each}  # of each window\n"))
            .replace(
                "    weights = descend(weights)\n",
                "    for turn in range(WINDOWS):\n        print(f\"window {turn + 1} of WINDOWS\")\n        weights = \
                 descend(weights)\n        if len(done) + 1 < WINDOWS:\n            # Points, fields and conditions are of the next \
                 window from here on.\n            done.append(weights)\n            low, high = low.at[-1].add(length), \
                 high.at[-1].add(length)\n            JOINTS_LATERjax.clear_caches()\n",
            )
            // Parts of an ordinary equation meet in time, which goes on.
            .replace(
                "JOINTS_LATER",
                if self.joints.is_some() && self.statement.grid.dimension() == 0 {
                    "JOINTS = [place + length for place in JOINTS]\n            "
                } else {
                    ""
                },
            )
            .replace("at half of the time:", "at half of the last window:")
            .replace("WINDOWS", &windows.to_string())
    }
}
