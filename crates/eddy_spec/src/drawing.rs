//! A drawing as a parameter: a small picture in shades, whose text is short enough for a permalink.
//!
//! The text is made of the 64 letters of base64url, which no part of a URL escapes: the digit `1` (the version), one letter
//! each for columns − 1 and rows − 1, then the cells as runs of one shade, row by row from the bottom left. A run is the
//! letter of its shade (values 0 to 15), followed, where it has more than one cell, by the number of further cells in base 48
//! (letters of the values 16 to 63, the highest digit first). So a text is at most as long as there are cells, plus three,
//! and each drawing has exactly one. Nothing drawn is the empty text. `web/src/lib/drawing.ts` reads and writes the same.

use crate::ParamType;

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const VERSION: u8 = b'1';
/// Letters before the first run.
const HEAD: usize = 3;
/// Values of the letters below this are shades, the others digits of a run.
const SHADES: usize = Drawing::DEEPEST as usize + 1;
const BASE: usize = LETTERS.len() - SHADES;

const OTHER_VERSION: &str = "a drawing of format 1, which begins with the digit 1,";
const NOT_WHOLE: &str = "a drawing as the pad writes it, whole and unchanged,";

/// Shades of `columns` × `rows` cells, row by row from the bottom left; 0 is blank. A drawing without ink has no size.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Drawing {
    columns: u32,
    rows: u32,
    shades: Vec<u8>,
}

impl Drawing {
    /// The shade of full ink.
    pub const DEEPEST: u8 = 15;
    /// Cells along a side: what one letter can say.
    pub const MOST: u32 = 64;

    /// `None` where a side is not from 1 to [`Self::MOST`], the number of shades is not that of the cells, or one is deeper
    /// than [`Self::DEEPEST`].
    pub fn new(columns: u32, rows: u32, shades: Vec<u8>) -> Option<Self> {
        let fits = |side| (1..=Self::MOST).contains(&side);
        let is_whole = fits(columns) && fits(rows) && shades.len() == (columns * rows) as usize;
        if !is_whole || shades.iter().any(|s| *s > Self::DEEPEST) {
            return None;
        }
        if shades.iter().all(|s| *s == 0) {
            return Some(Self::default());
        }
        Some(Self { columns, rows, shades })
    }

    /// Length of the longest text of a drawing of this size.
    pub fn longest(columns: u32, rows: u32) -> usize {
        HEAD + (columns * rows) as usize
    }

    /// Whether there is no ink.
    pub fn is_empty(&self) -> bool {
        self.shades.is_empty()
    }
    /// 0 without ink.
    pub fn columns(&self) -> u32 {
        self.columns
    }
    /// 0 without ink.
    pub fn rows(&self) -> u32 {
        self.rows
    }
    /// Row by row from the bottom left, each up to [`Self::DEEPEST`].
    pub fn shades(&self) -> &[u8] {
        &self.shades
    }
}

fn value(letter: u8) -> Option<usize> {
    LETTERS.iter().position(|l| *l == letter)
}

/// Shades of the runs, of which there must be `count`.
fn cells(runs: &[u8], count: usize) -> Option<Vec<u8>> {
    let mut shades = Vec::with_capacity(count);
    let mut rest = runs.iter().map(|l| value(*l)).peekable();
    while let Some(shade) = rest.next() {
        let shade = shade.filter(|v| *v < SHADES)? as u8;
        let mut more = 0;
        // `count` is at most 64², so the product stays far from the end of the numbers.
        while let Some(Some(digit)) = rest.next_if(|v| v.is_some_and(|v| v >= SHADES)) {
            more = more * BASE + digit - SHADES;
            if more >= count {
                return None;
            }
        }
        if shades.len() + 1 + more > count {
            return None;
        }
        shades.resize(shades.len() + 1 + more, shade);
    }
    (shades.len() == count).then_some(shades)
}

impl ParamType for Drawing {
    fn parse(text: &str) -> Result<Self, &'static str> {
        let (version, size, runs) = match text.as_bytes() {
            [] => return Ok(Self::default()),
            [version, columns, rows, runs @ ..] => (*version, [*columns, *rows], runs),
            [version, ..] => (*version, [0; 2], &[][..]),
        };
        if version != VERSION {
            return Err(OTHER_VERSION);
        }
        let side = |letter| value(letter).map(|v| v as u32 + 1).ok_or(NOT_WHOLE);
        let (columns, rows) = (side(size[0])?, side(size[1])?);
        let shades = cells(runs, (columns * rows) as usize).ok_or(NOT_WHOLE)?;
        let drawing = Self::new(columns, rows, shades).ok_or(NOT_WHOLE)?;
        // Other ways to write the same runs are not ours: what a link says is said once.
        if drawing.print() == text { Ok(drawing) } else { Err(NOT_WHOLE) }
    }

    fn print(&self) -> String {
        if self.is_empty() {
            return String::new();
        }
        let letter = |v: usize| char::from(LETTERS[v]);
        let mut out: String =
            [char::from(VERSION), letter(self.columns as usize - 1), letter(self.rows as usize - 1)].iter().collect();
        for run in self.shades.chunk_by(|a, b| a == b) {
            out.push(letter(run[0].into()));
            let more = run.len() - 1;
            let digits = (0..).take_while(|k| more >= BASE.pow(*k)).count() as u32;
            out.extend((0..digits).rev().map(|k| letter(SHADES + more / BASE.pow(k) % BASE)));
        }
        out
    }

    fn size(&self) -> Option<[u32; 2]> {
        (!self.is_empty()).then_some([self.columns, self.rows])
    }
}
