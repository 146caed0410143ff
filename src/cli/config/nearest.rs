//! The known name that a misspelled one probably stands for.

/// How similar two names must be, from 0 to 1.
const ALIKE: f64 = 0.6;

/// Returns the name that was probably meant.
pub fn nearest<'a>(asked: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let asked = asked.to_lowercase().replace('-', "_");
    let alike = |name: &str| strsim::normalized_damerau_levenshtein(&asked, &name.to_lowercase());
    let scored = known.map(|name| (alike(name), name)).filter(|(alike, _)| *alike >= ALIKE);
    scored.max_by(|a, b| a.0.total_cmp(&b.0).then_with(|| b.1.cmp(a.1))).map(|(_, name)| name)
}
