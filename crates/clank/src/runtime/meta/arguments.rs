//! What a procedure of WAMP's own is called with.

use std::borrow::Cow;

use clank_wire::payload::Payload;
use clank_wire::serializer::{Kind, Span};
use clank_wire::wamp2::Match;

use super::procedure::Refused;

/// What a procedure of WAMP's own is called with.
#[derive(Clone, Copy)]
pub(in super::super) struct Arguments<'a>(pub Payload<'a>);

impl<'a> Arguments<'a> {
    /// The argument at `index`, counted from zero. One that is null is as good as absent.
    pub(in super::super) fn at(self, index: usize) -> Option<Span<'a>> {
        self.0.iter().nth(index).filter(|span| span.kind() != Kind::Null)
    }

    pub(in super::super) fn keyword(self, name: &str) -> Option<Span<'a>> {
        self.0.keyword(name).filter(|span| span.kind() != Kind::Null)
    }

    /// The number of something. `what` says of what.
    pub(super) fn id(self, index: usize, what: &str) -> Result<u64, Refused> {
        let id = self.at(index).and_then(Span::to_u64);
        id.ok_or_else(|| unfit(index, &format!("the id of a {what}")))
    }

    /// A text. `what` says of what.
    pub(in super::super) fn text(self, index: usize, what: &str) -> Result<Cow<'a, str>, Refused> {
        self.at(index).and_then(Span::to_text).ok_or_else(|| unfit(index, what))
    }

    /// A list of texts, if there is one.
    pub(super) fn texts(self, index: usize) -> Result<Option<Vec<Cow<'a, str>>>, Refused> {
        let Some(list) = self.at(index) else { return Ok(None) };
        let texts: Option<Vec<_>> =
            (list.kind() == Kind::List).then(|| list.items().map(Span::to_text).collect()).flatten();
        texts.map(Some).ok_or_else(|| unfit(index, "a list of texts"))
    }

    /// How URIs are matched, by options such as those of SUBSCRIBE.
    pub(super) fn matching(self, index: usize) -> Result<Match, Refused> {
        let options = self.at(index).into_iter().flat_map(Span::entries);
        let Some((_, word)) = options.filter(|(name, _)| name == "match").last() else {
            return Ok(Match::Exact);
        };
        let matching = word.to_text().and_then(|word| Match::from_name(&word));
        matching.ok_or_else(|| unfit(index, "options whose 'match' is 'exact', 'prefix' or 'wildcard'"))
    }

    /// A keyword argument that is a text, if there is one.
    pub(in super::super) fn keyword_text(self, name: &str) -> Result<Option<Cow<'a, str>>, Refused> {
        let Some(value) = self.keyword(name) else { return Ok(None) };
        value.to_text().map(Some).ok_or_else(|| unfit_keyword(name, "a text"))
    }
}

/// The argument at `index` has to be something else.
pub(super) fn unfit(index: usize, needs: &str) -> Refused {
    Refused::invalid(format!("argument {} has to be {needs}", index + 1))
}

/// A keyword argument has to be something else.
pub(in super::super) fn unfit_keyword(name: &str, needs: &str) -> Refused {
    Refused::invalid(format!("the keyword argument '{name}' has to be {needs}"))
}
