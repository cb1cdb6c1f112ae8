//! The walk to the wildcards that match a URI.

use super::radix::Cursor;

/// Walks the values of the wildcards that match a URI, the most specific first.
pub(super) struct Wildcards<'t, 'u, T> {
    uri: &'u str,
    /// Places that the beginning of the URI leads to, each with where its next component begins.
    waiting: Vec<(Cursor<'t, T>, usize)>,
    /// A match that comes behind the one before.
    second: Option<&'t T>,
}

impl<'t, 'u, T> Wildcards<'t, 'u, T> {
    pub(super) fn new(root: Cursor<'t, T>, uri: &'u str) -> Self {
        // Most often there are no wildcards, and nothing is allocated.
        let waiting = if root.is_barren() { Vec::new() } else { vec![(root, 0)] };
        Wildcards { uri, waiting, second: None }
    }
}

impl<'t, T> Iterator for Wildcards<'t, '_, T> {
    type Item = &'t T;

    fn next(&mut self) -> Option<&'t T> {
        if let Some(second) = self.second.take() {
            return Some(second);
        }
        while let Some((place, from)) = self.waiting.pop() {
            let rest = self.uri.get(from..)?;
            let dot = rest.find('.');
            let component = dot.and_then(|dot| rest.get(..dot)).unwrap_or(rest);
            // The component itself, unless it is empty: then it is the wildcard.
            let same = if component.is_empty() { None } else { place.follow(component.as_bytes()) };
            if let Some(dot) = dot {
                // What is pushed last comes first.
                let places = [Some(place), same].into_iter().flatten();
                let behind = places.filter_map(|place| place.follow(b"."));
                self.waiting.extend(behind.map(|place| (place, from + dot + 1)));
            } else {
                let any = place.value();
                match same.and_then(Cursor::value) {
                    Some(same) => {
                        self.second = any;
                        return Some(same);
                    }
                    None if any.is_some() => return any,
                    None => {}
                }
            }
        }
        None
    }
}
