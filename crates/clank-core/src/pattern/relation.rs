//! What two patterns have in common.

use clank_wire::wamp2::{Match, Pattern};

/// Whether there is a URI that both patterns match.
///
/// ```
/// use clank_core::pattern::overlap;
/// use clank_wire::wamp2::{Match, Pattern, Rules};
///
/// let prefix = Pattern::parse("com.ex", Match::Prefix, Rules::Strict)?;
/// let wildcard = Pattern::parse("..created", Match::Wildcard, Rules::Strict)?;
/// assert!(overlap(&prefix, &wildcard));
/// # Ok::<(), clank_wire::wamp2::InvalidUri>(())
/// ```
pub fn overlap(one: &Pattern<'_>, other: &Pattern<'_>) -> bool {
    let (a, b) = (one.as_str(), other.as_str());
    match (one.matching(), other.matching()) {
        (Match::Exact, _) => other.matches(a),
        (_, Match::Exact) => one.matches(b),
        (Match::Prefix, Match::Prefix) => a.starts_with(b) || b.starts_with(a),
        (Match::Prefix, Match::Wildcard) => may_begin(b, a),
        (Match::Wildcard, Match::Prefix) => may_begin(a, b),
        (Match::Wildcard, Match::Wildcard) => {
            components(a, b, |one, other| one.is_empty() || other.is_empty() || one == other)
        }
    }
}

/// Whether `outer` matches every URI that `inner` matches.
///
/// ```
/// use clank_core::pattern::covers;
/// use clank_wire::wamp2::{Match, Pattern, Rules};
///
/// let outer = Pattern::parse("com.", Match::Prefix, Rules::Strict)?;
/// let inner = Pattern::parse("com..created", Match::Wildcard, Rules::Strict)?;
/// assert!(covers(&outer, &inner) && !covers(&inner, &outer));
/// # Ok::<(), clank_wire::wamp2::InvalidUri>(())
/// ```
pub fn covers(outer: &Pattern<'_>, inner: &Pattern<'_>) -> bool {
    let (a, b) = (outer.as_str(), inner.as_str());
    match (outer.matching(), inner.matching()) {
        (_, Match::Exact) => outer.matches(b),
        // URIs that begin alike have any number of components.
        (Match::Exact | Match::Wildcard, Match::Prefix) => false,
        (Match::Prefix, Match::Prefix) => b.starts_with(a),
        (Match::Prefix, Match::Wildcard) => sure_beginning(b).starts_with(a),
        (Match::Exact, Match::Wildcard) => a == b && !b.split('.').any(str::is_empty),
        (Match::Wildcard, Match::Wildcard) => {
            components(a, b, |outer, inner| outer.is_empty() || outer == inner)
        }
    }
}

/// Whether both have as many components, and each pair of them fits.
fn components(one: &str, other: &str, fit: impl Fn(&str, &str) -> bool) -> bool {
    let (mut one, mut other) = (one.split('.'), other.split('.'));
    loop {
        match (one.next(), other.next()) {
            (Some(one), Some(other)) if fit(one, other) => {}
            (None, None) => return true,
            _ => return false,
        }
    }
}

/// Whether a URI that the wildcard matches may begin with the prefix.
fn may_begin(wildcard: &str, prefix: &str) -> bool {
    let mut components = wildcard.split('.');
    let (whole, begun) =
        prefix.rsplit_once('.').map_or((None, prefix), |(whole, begun)| (Some(whole), begun));
    let mut whole = whole.into_iter().flat_map(|whole| whole.split('.'));
    whole.all(|known| components.next().is_some_and(|component| component.is_empty() || component == known))
        && components.next().is_some_and(|component| component.is_empty() || component.starts_with(begun))
}

/// What every URI begins with that the wildcard matches.
fn sure_beginning(wildcard: &str) -> &str {
    if wildcard.starts_with('.') {
        return "";
    }
    // The first empty component follows a dot, which is still sure.
    let end = wildcard.find("..").map(|at| at + 1);
    wildcard.get(..end.unwrap_or(wildcard.len())).unwrap_or_default()
}
