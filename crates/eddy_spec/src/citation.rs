use serde::Serialize;

/// A paper that an experiment stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Citation {
    /// Number in Eddy's list of papers; 0 for a source outside the list.
    pub number: u32,
    /// BibTeX key.
    pub key: &'static str,
    pub authors: &'static str,
    pub title: &'static str,
    pub venue: &'static str,
    pub year: u32,
    /// DOI or arXiv address; empty if there is none.
    pub url: &'static str,
}

impl Citation {
    /// BibTeX of this source.
    pub fn bibtex(&self) -> String {
        let mut out = format!(
            "@article{{{},\n  author  = {{{}}},\n  title   = {{{}}},\n  journal = {{{}}},\n  year    = {{{}}}",
            self.key, self.authors, self.title, self.venue, self.year
        );
        if !self.url.is_empty() {
            out.push_str(&format!(",\n  url     = {{{}}}", self.url));
        }
        out.push_str("\n}\n");
        out
    }
}
