//! Roles and features: what the two sides tell of each other when a session begins.

use super::Malformed;
use super::attributes::Attribute;
use super::values::Dict;
use crate::serializer::Span;

/// The roles that a peer announces, each with the features that it has (specification: "Role and
/// Feature Announcement").
///
/// ```
/// use clank_wire::wamp2::Roles;
///
/// let roles = Roles::new(&[("broker", &["event_retention"]), ("dealer", &[])]);
/// assert!(roles.has("dealer") && !roles.has("callee"));
/// assert!(roles.feature("broker", "event_retention"));
/// assert!(!roles.feature("dealer", "event_retention"));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Roles<'a>(Dict<'a>);

impl<'a> Roles<'a> {
    /// Roles, and for each the features that are true.
    pub fn new(roles: &[(&str, &[&str])]) -> Roles<'static> {
        let announced = |features: &[&str]| {
            let features = features.iter().map(|feature| ((*feature).to_owned(), true.into()));
            match features.collect::<serde_json::Map<_, _>>() {
                features if features.is_empty() => serde_json::json!({}),
                features => serde_json::json!({ "features": features }),
            }
        };
        let roles = roles.iter().map(|(role, features)| ((*role).to_owned(), announced(features)));
        let roles = serde_json::Value::Object(roles.collect());
        Roles(Dict::from_serialize(&roles).unwrap_or_default())
    }

    pub(super) fn read(attribute: &Attribute<'a>) -> Result<Self, Malformed> {
        let fits = |role: Span<'_>| {
            let mut features = role.entries().filter(|(name, _)| name == "features");
            role.is_map() && features.all(|(_, features)| features.is_map())
        };
        if !attribute.value.entries().all(|(_, role)| fits(role)) {
            return Err(attribute.unfit("a dictionary of roles, each with a dictionary of features"));
        }
        attribute.dict().map(Roles)
    }

    /// Whether the peer has a role, such as `callee`.
    pub fn has(&self, role: &str) -> bool {
        self.0.value(role).is_some()
    }

    /// Whether the peer has a feature, such as `call_canceling`, in a role.
    pub fn feature(&self, role: &str, feature: &str) -> bool {
        let Some(role) = self.0.value(role) else { return false };
        let features = role.entries().filter(|(name, _)| name == "features").last();
        let Some((_, features)) = features else { return false };
        let found = features.entries().filter(|(name, _)| name == feature).last();
        found.is_some_and(|(_, value)| value.to_bool() == Some(true))
    }

    pub(super) const fn dict(&self) -> &Dict<'a> {
        &self.0
    }
}
