//! WAMP v2 as it is set up: realms, how their clients prove who they are, and what these may do.
//!
//! ```
//! use clank::Clank;
//! use clank::wamp2::{
//!     Action, Auth, Authorizer, Effect, Match, Method, Pattern, Principal, Realm, Rule, Rules, Secret,
//!     Ticket, Who,
//! };
//!
//! # fn main() -> clank::Result {
//! let joe = Principal {
//!     ticket: Some(Ticket::plain(&Secret::from("s3cret"))),
//!     ..Principal::new("joe", "user")
//! };
//! let chat = Pattern::parse("com.example.chat.", Match::Prefix, Rules::Strict)?;
//! let may_chat = Rule::new(
//!     Who::Role("user".into()),
//!     [Action::Subscribe, Action::Publish],
//!     chat,
//!     Effect::Allow,
//! );
//! let realm = Realm::new("com.example")
//!     .auth(Auth::new([Method::Ticket]).principal(joe))
//!     .authorize(Authorizer::new([may_chat], Effect::Deny));
//! let builder = Clank::builder().realm(realm);
//! # Ok(())
//! # }
//! ```

pub use clank_core::wamp2::auth::{
    CraSecret, InvalidCredential, Kdf, Method, Principal, PublicKey, Salting, ScramSecret, Secret, Ticket,
};
pub use clank_core::wamp2::authorize::{Action, Actions, Authorizer, Disclose, Effect, Rule, Who};
pub use clank_core::wamp2::history::Bounds;
pub use clank_wire::wamp2::{InvalidUri, Match, Pattern, Rules};

use clank_core::limits::{MINUTE, Period};
use clank_core::wamp2::auth::{Decoy, Principals, Settings};

/// A space of topics and procedures that clients of WAMP v2 join, for
/// [`Builder::realm`](crate::Builder::realm).
///
/// Without [`auth`](Self::auth) it takes everybody: as whom a connecting listener said that the
/// client is, by the method `cookie`, else without a name, by the method `anonymous`. Without
/// [`authorize`](Self::authorize) its clients may do everything.
#[derive(Clone, Debug)]
pub struct Realm {
    pub(crate) name: Box<str>,
    pub(crate) auth: Option<Auth>,
    pub(crate) authorizer: Option<Authorizer>,
    pub(crate) histories: Vec<(Pattern<'static>, Bounds)>,
}

/// How the clients of a realm prove who they are (specification: "Authentication Methods").
///
/// A client that has proved it is known to the application as an [`Identity`](crate::Identity) with
/// its authid and what its [`Principal`] has for `authextra`.
#[derive(Clone, Debug)]
pub struct Auth {
    methods: Vec<Method>,
    principals: Principals,
    anonymous_role: Box<str>,
    timeout: Option<Period<100, { 5 * MINUTE }>>,
    decoy_key: Option<Secret>,
}

impl Realm {
    /// A realm of that name, a URI such as `com.example`.
    pub fn new(name: impl Into<Box<str>>) -> Self {
        Self { name: name.into(), auth: None, authorizer: None, histories: Vec::new() }
    }

    /// Takes only clients that prove who they are in one of these ways.
    #[must_use]
    pub fn auth(mut self, auth: Auth) -> Self {
        self.auth = Some(auth);
        self
    }

    /// What its clients may do. They are judged by their authid and authrole before it is looked
    /// whether there is such a topic or procedure. A client whose name a connecting listener gave has
    /// the role that the identity's attribute `role` says, else `user`.
    ///
    /// Clients of WAMP v1 are judged too, where this is the
    /// [home realm](crate::Builder::home_realm): those without an identity as anonymous ones.
    #[must_use]
    pub fn authorize(mut self, authorizer: Authorizer) -> Self {
        self.authorizer = Some(authorizer);
        self
    }
}

impl Realm {
    /// Keeps the last events of these topics together, for clients to ask for by
    /// `wamp.subscription.get_events`: as many as `bounds` says, of so many bytes. Whoever publishes
    /// them, they are held in memory, until the server ends.
    ///
    /// ```
    /// use clank::wamp2::{Bounds, Match, Pattern, Realm, Rules};
    ///
    /// let chat = Pattern::parse("com.example.chat.", Match::Prefix, Rules::Strict)?;
    /// let realm = Realm::new("com.example").history(chat, Bounds { events: 100, bytes: 65_536 });
    /// # Ok::<(), clank::wamp2::InvalidUri>(())
    /// ```
    #[must_use]
    pub fn history(mut self, topics: Pattern<'static>, bounds: Bounds) -> Self {
        self.histories.push((topics, bounds));
        self
    }
}

impl From<&str> for Realm {
    fn from(name: &str) -> Self {
        Self::new(name)
    }
}

impl From<String> for Realm {
    fn from(name: String) -> Self {
        Self::new(name)
    }
}

impl Auth {
    /// These methods, and nobody who could use one that needs a [`principal`](Self::principal).
    ///
    /// [`Method::Cookie`] takes the identities that connecting listeners give,
    /// [`Method::Anonymous`] takes everybody.
    pub fn new(methods: impl IntoIterator<Item = Method>) -> Self {
        Self {
            methods: methods.into_iter().collect(),
            principals: Principals::new(),
            anonymous_role: ANONYMOUS.into(),
            timeout: None,
            decoy_key: None,
        }
    }

    /// Adds a user. A second one of the same name takes the place of the first.
    #[must_use]
    pub fn principal(mut self, principal: Principal) -> Self {
        self.principals.add(principal);
        self
    }

    /// The role of clients that prove nothing; `anonymous` by default.
    #[must_use]
    pub fn anonymous_role(mut self, role: impl Into<Box<str>>) -> Self {
        self.anonymous_role = role.into();
        self
    }

    /// Time from CHALLENGE to AUTHENTICATE, 10 seconds by default. `limits.handshake` holds for all
    /// that comes before WELCOME together.
    #[must_use]
    pub fn timeout(mut self, timeout: Period<100, { 5 * MINUTE }>) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// The key from which challenges for users who don't exist are made; a random one by default.
    /// Who restarts the server should keep it: a user whose salt changes is seen not to exist.
    #[must_use]
    pub fn decoy_key(mut self, key: Secret) -> Self {
        self.decoy_key = Some(key);
        self
    }

    /// The same as the core has it. `random` is the key if none was given.
    pub(crate) fn build(&self, random: [u8; 32]) -> (Settings, Principals) {
        let key = self.decoy_key.clone().unwrap_or_else(|| Secret::from(random));
        let decoy = Decoy::new(key).resembling(&self.principals);
        let mut settings = Settings::new(self.methods.iter().copied(), decoy);
        settings.anonymous_role = self.anonymous_role.clone();
        settings.timeout = self.timeout.unwrap_or(settings.timeout);
        (settings, self.principals.clone())
    }
}

/// The role of clients that prove nothing, where no other is set.
pub(crate) const ANONYMOUS: &str = "anonymous";
